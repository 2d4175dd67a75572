//! Names to addresses, with those left out that are not public. The addresses judged are the addresses dialled, so a
//! name that answers differently a moment later gains nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{AddressError, is_public};

/// Leaves only public addresses of what another resolver answers; refuses a name that has none.
pub(super) struct PublicOnly(Arc<dyn Resolve>);

impl PublicOnly {
    /// Judges the answers of the system's resolver.
    pub(super) fn system() -> Self {
        PublicOnly(Arc::new(System))
    }

    /// Judges the answers of another resolver.
    #[cfg(test)]
    pub(super) fn over(resolver: Arc<dyn Resolve>) -> Self {
        PublicOnly(resolver)
    }
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let answer = self.0.resolve(name);
        Box::pin(async move {
            let public: Vec<SocketAddr> = answer
                .await?
                .filter(|address| is_public(address.ip()))
                .collect();
            if public.is_empty() {
                return Err(AddressError::NotPublic.into());
            }
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}

struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port of the URL takes the place of this one.
            let answer: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let addresses: Addrs = Box::new(answer.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::sync::Mutex;

    use super::*;

    /// Gives these answers one after the other, the last one for good.
    struct Scripted(Mutex<Vec<Vec<&'static str>>>);

    impl Resolve for Scripted {
        fn resolve(&self, _: Name) -> Resolving {
            let mut script = self.0.lock().unwrap();
            let answer = match script.len() {
                1 => script[0].clone(),
                _ => script.remove(0),
            };
            let answer: Vec<SocketAddr> = answer
                .iter()
                .map(|ip| SocketAddr::new(ip.parse().unwrap(), 0))
                .collect();
            Box::pin(async move {
                let addresses: Addrs = Box::new(answer.into_iter());
                Ok(addresses)
            })
        }
    }

    fn scripted(answers: &[&[&'static str]]) -> PublicOnly {
        let answers = answers.iter().map(|answer| answer.to_vec()).collect();
        PublicOnly::over(Arc::new(Scripted(Mutex::new(answers))))
    }

    async fn dialled(resolver: &PublicOnly) -> Result<Vec<String>, String> {
        match resolver.resolve("hooks.example.com".parse().unwrap()).await {
            Ok(addresses) => Ok(addresses.map(|a| a.ip().to_string()).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn private_answers_are_left_out() {
        let mixed = scripted(&[&["10.0.0.1", "8.8.8.8", "::1", "2606:4700::1111"]]);
        let addresses = dialled(&mixed).await.unwrap();
        assert_eq!(addresses, ["8.8.8.8", "2606:4700::1111"]);
    }

    #[tokio::test]
    async fn a_name_with_private_answers_only_is_refused() {
        for private in ["127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "fd00::1"] {
            let refusal = dialled(&scripted(&[&[private]])).await.unwrap_err();
            assert_eq!(refusal, AddressError::NotPublic.to_string(), "{private}");
        }
        assert!(dialled(&scripted(&[&[]])).await.is_err());
    }

    #[tokio::test]
    async fn a_name_that_turns_private_is_refused_from_then_on() {
        let rebinding = scripted(&[&["8.8.8.8"], &["169.254.169.254"]]);
        assert_eq!(dialled(&rebinding).await.unwrap(), ["8.8.8.8"]);
        assert!(dialled(&rebinding).await.is_err());
    }
}
