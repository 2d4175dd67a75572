//! Where a route may lead. Whoever may write a project's file must not reach the server's own network with it.
//!
//! A literal address is judged here, a name when it is resolved: see [`super::resolver`], which judges the very
//! addresses that are dialled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

/// Ports on which receivers of alerts listen; others mostly belong to services that are no receivers.
const PORTS: [u16; 2] = [443, 8443];

/// Why an address is refused. No text holds the address: those of chat services are secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressError {
    /// Not a URL; write for example `https://hooks.example.com/alerts`.
    #[error("it is no URL")]
    Unreadable,
    /// Another scheme than https; alerts name releases and owners and must not travel in the clear.
    #[error("only https is allowed")]
    Scheme,
    /// A name or password stands before the host; give the receiver a signing secret instead.
    #[error("a name or password before the host is not allowed")]
    UserInfo,
    /// Another port than 443 and 8443.
    #[error("only the ports 443 and 8443 are allowed")]
    Port,
    /// The host is, or leads to, an address that is not public.
    #[error("it leads to an address that is not public")]
    NotPublic,
}

/// Reads a route's address. With `allow_private` http, any port and private addresses are allowed too.
///
/// # Errors
/// The first rule that the address breaks.
pub(super) fn read(text: &str, allow_private: bool) -> Result<Url, AddressError> {
    let url = Url::parse(text.trim()).map_err(|_| AddressError::Unreadable)?;
    let host = url.host_str().ok_or(AddressError::Unreadable)?;
    if url.scheme() != "https" && !(allow_private && url.scheme() == "http") {
        return Err(AddressError::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AddressError::UserInfo);
    }
    if allow_private {
        return Ok(url);
    }
    if !url
        .port_or_known_default()
        .is_some_and(|port| PORTS.contains(&port))
    {
        return Err(AddressError::Port);
    }
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    let is_public_host = match literal.parse::<IpAddr>() {
        Ok(address) => is_public(address),
        Err(_) => !is_local_name(host),
    };
    if is_public_host {
        Ok(url)
    } else {
        Err(AddressError::NotPublic)
    }
}

/// Names that never leave the machine, whatever a resolver says of them (RFC 6761).
fn is_local_name(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host == "localhost" || host.ends_with(".localhost")
}

/// Whether an address belongs to the public internet: none of the special-purpose blocks of the IANA registries
/// (RFC 6890), and none of the clouds' metadata services.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Special-purpose IPv4 blocks: network, prefix length.
const SPECIAL_V4: [(Ipv4Addr, u32); 17] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),        // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),       // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),    // carrier-grade NAT, some clouds' metadata
    (Ipv4Addr::new(127, 0, 0, 0), 8),      // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // one cloud's platform service, public by its number only
    (Ipv4Addr::new(169, 254, 0, 0), 16),   // link-local, most clouds' metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12),    // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),     // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),     // documentation
    (Ipv4Addr::new(192, 31, 196, 0), 24),  // AS112
    (Ipv4Addr::new(192, 88, 99, 0), 24),   // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),   // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),    // benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24),  // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),   // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),      // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),      // reserved, broadcast
];

/// Special-purpose blocks inside 2000::/3, the part of IPv6 that is handed out: network, prefix length.
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, Teredo among them
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4: any IPv4 address inside
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4
        .iter()
        .any(|(network, length)| (address.to_bits() ^ network.to_bits()) >> (32 - length) == 0)
}

/// Everything outside 2000::/3 is loopback, mapped IPv4, NAT64, unique-local, link-local, multicast or not in use.
fn is_public_v6(address: Ipv6Addr) -> bool {
    address.to_bits() >> 125 == 1
        && !SPECIAL_V6
            .iter()
            .any(|(network, length)| (address.to_bits() ^ network.to_bits()) >> (128 - length) == 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    /// What each address gets by the strict rule.
    const TABLE: &[(&str, Result<(), AddressError>)] = &[
        ("https://hooks.slack.com/services/T0/B0/xyz", Ok(())),
        ("https://hooks.example.com", Ok(())),
        ("https://hooks.example.com:443/a?b=c", Ok(())),
        ("https://hooks.example.com:8443/", Ok(())),
        (" https://hooks.example.com/ ", Ok(())),
        ("https://8.8.8.8/", Ok(())),
        ("https://192.0.1.1/", Ok(())),
        ("https://172.32.0.1/", Ok(())),
        ("https://100.128.0.1/", Ok(())),
        ("https://[2606:4700::1111]/", Ok(())),
        ("https://[2001:4860:4860::8888]:8443/", Ok(())),
        ("", Err(AddressError::Unreadable)),
        ("hooks.example.com/alerts", Err(AddressError::Unreadable)),
        ("/alerts", Err(AddressError::Unreadable)),
        ("https://", Err(AddressError::Unreadable)),
        ("https://[::1", Err(AddressError::Unreadable)),
        ("https://1.2.3.4.5/", Err(AddressError::Unreadable)),
        (
            "https://hooks.example.com:99999/",
            Err(AddressError::Unreadable),
        ),
        ("data:text/plain,x", Err(AddressError::Unreadable)),
        ("http://hooks.example.com/", Err(AddressError::Scheme)),
        ("HTTP://hooks.example.com/", Err(AddressError::Scheme)),
        ("ftp://hooks.example.com/", Err(AddressError::Scheme)),
        ("gopher://hooks.example.com/", Err(AddressError::Scheme)),
        ("ws://hooks.example.com/", Err(AddressError::Scheme)),
        (
            "https://user@hooks.example.com/",
            Err(AddressError::UserInfo),
        ),
        (
            "https://user:pass@hooks.example.com/",
            Err(AddressError::UserInfo),
        ),
        (
            "https://:pass@hooks.example.com/",
            Err(AddressError::UserInfo),
        ),
        (
            "https://hooks.example.com@127.0.0.1/",
            Err(AddressError::UserInfo),
        ),
        ("https://hooks.example.com:80/", Err(AddressError::Port)),
        ("https://hooks.example.com:22/", Err(AddressError::Port)),
        ("https://hooks.example.com:5432/", Err(AddressError::Port)),
        ("https://127.0.0.1:7878/", Err(AddressError::Port)),
        ("https://localhost/", Err(AddressError::NotPublic)),
        ("https://LOCALHOST./", Err(AddressError::NotPublic)),
        ("https://a.localhost/", Err(AddressError::NotPublic)),
        ("https://127.0.0.1/", Err(AddressError::NotPublic)),
        ("https://127.0.0.1./", Err(AddressError::NotPublic)),
        ("https://127.1/", Err(AddressError::NotPublic)),
        (
            "https://127.255.255.254:8443/",
            Err(AddressError::NotPublic),
        ),
        ("https://2130706433/", Err(AddressError::NotPublic)),
        ("https://0x7f.0.0.1/", Err(AddressError::NotPublic)),
        ("https://017700000001/", Err(AddressError::NotPublic)),
        ("https://0/", Err(AddressError::NotPublic)),
        ("https://0.0.0.0/", Err(AddressError::NotPublic)),
        ("https://①②⑦.0.0.1/", Err(AddressError::NotPublic)),
        ("https://10.1.2.3/", Err(AddressError::NotPublic)),
        ("https://172.16.0.1/", Err(AddressError::NotPublic)),
        ("https://172.31.255.255/", Err(AddressError::NotPublic)),
        ("https://192.168.1.1/", Err(AddressError::NotPublic)),
        (
            "https://169.254.169.254/latest/meta-data/",
            Err(AddressError::NotPublic),
        ),
        ("https://100.100.100.200/", Err(AddressError::NotPublic)),
        ("https://168.63.129.16/", Err(AddressError::NotPublic)),
        ("https://192.0.0.192/", Err(AddressError::NotPublic)),
        ("https://192.0.2.1/", Err(AddressError::NotPublic)),
        ("https://198.18.0.1/", Err(AddressError::NotPublic)),
        ("https://198.51.100.7/", Err(AddressError::NotPublic)),
        ("https://203.0.113.7/", Err(AddressError::NotPublic)),
        ("https://224.0.0.1/", Err(AddressError::NotPublic)),
        ("https://255.255.255.255/", Err(AddressError::NotPublic)),
        ("https://[::]/", Err(AddressError::NotPublic)),
        ("https://[::1]/", Err(AddressError::NotPublic)),
        ("https://[::ffff:127.0.0.1]/", Err(AddressError::NotPublic)),
        ("https://[::ffff:8.8.8.8]/", Err(AddressError::NotPublic)),
        ("https://[::7f00:1]/", Err(AddressError::NotPublic)),
        ("https://[64:ff9b::7f00:1]/", Err(AddressError::NotPublic)),
        ("https://[64:ff9b:1::a00:1]/", Err(AddressError::NotPublic)),
        ("https://[2001::1]/", Err(AddressError::NotPublic)),
        ("https://[2001:db8::1]/", Err(AddressError::NotPublic)),
        ("https://[2002:7f00:1::]/", Err(AddressError::NotPublic)),
        ("https://[3fff::1]/", Err(AddressError::NotPublic)),
        ("https://[fc00::1]/", Err(AddressError::NotPublic)),
        ("https://[fd00:ec2::254]/", Err(AddressError::NotPublic)),
        ("https://[fe80::1]/", Err(AddressError::NotPublic)),
        ("https://[fec0::1]/", Err(AddressError::NotPublic)),
        ("https://[ff02::1]/", Err(AddressError::NotPublic)),
        ("https://[100::1]/", Err(AddressError::NotPublic)),
    ];

    #[test]
    fn each_address_of_the_table_gets_its_answer() {
        assert!(TABLE.len() >= 60);
        for (address, expected) in TABLE {
            assert_eq!(read(address, false).map(|_| ()), *expected, "{address}");
        }
    }

    #[test]
    fn private_receivers_are_reached_where_the_operator_allows_it() {
        for address in [
            "http://127.0.0.1:9000/hook",
            "http://localhost:9000/hook",
            "https://10.0.0.7/hook",
            "https://[fd00::7]:444/hook",
        ] {
            assert!(read(address, true).is_ok(), "{address}");
        }
        assert_eq!(
            read("ftp://10.0.0.7/", true),
            Err(AddressError::Scheme),
            "what is no HTTP stays out"
        );
        assert_eq!(
            read("http://user:pass@10.0.0.7/", true),
            Err(AddressError::UserInfo)
        );
    }

    #[test]
    fn a_refusal_never_repeats_the_address() {
        for (address, refusal) in TABLE {
            if let Err(refusal) = refusal
                && !address.is_empty()
            {
                assert!(!refusal.to_string().contains(address));
            }
        }
    }
}
