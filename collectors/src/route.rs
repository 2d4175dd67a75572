//! Page and request addresses as route templates: the path alone, with what stands for one item replaced.

/// `https://shop/item/17?utm=x#y` as `/item/:id`.
///
/// Never the query or the hash. Segments that are numbers, UUIDs, long hexadecimal keys or hold an address' `@` become
/// `:id`. A trailing slash goes.
pub fn template(url: &str) -> String {
    let path = path(url);
    let mut route = String::with_capacity(path.len() + 1);
    for segment in path.split('/').filter(|s| !s.is_empty()) {
        route.push('/');
        let name = segment.split(';').next().unwrap_or_default();
        route.push_str(if is_id(name) { ":id" } else { name });
    }
    if route.is_empty() {
        route.push('/');
    }
    crate::limits::cut(&route, crate::limits::NAME_BYTES)
}

fn path(url: &str) -> &str {
    let url = url.trim();
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let url = &url[..end];
    let after_scheme = url
        .split_once("://")
        .map(|(_, rest)| rest)
        .or_else(|| url.strip_prefix("//"));
    match after_scheme {
        Some(rest) => rest.find('/').map_or("", |slash| &rest[slash..]),
        None => url,
    }
}

fn is_id(segment: &str) -> bool {
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let hex = !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    (digits > 0 && digits == segment.len())
        || (hex && digits > 0 && segment.len() >= 16)
        || segment.contains('@')
        || segment.contains("%40")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_hold_no_ids_queries_or_people() {
        let cases = [
            ("https://shop.example/item/17?utm=x#top", "/item/:id"),
            ("http://127.0.0.1:8088/", "/"),
            ("http://127.0.0.1:8088", "/"),
            (
                "/orders/550e8400-e29b-41d4-a716-446655440000/lines/",
                "/orders/:id/lines",
            ),
            ("/blob/9f86d081884c7d659a2feaa0", "/blob/:id"),
            (
                "/user/ann%40example.org/cart;jsessionid=1",
                "/user/:id/cart",
            ),
            ("//cdn.example/a/b", "/a/b"),
            ("/v2/deadbeef/facade", "/v2/deadbeef/facade"),
            ("", "/"),
        ];
        for (url, route) in cases {
            assert_eq!(template(url), route, "{url}");
        }
    }
}
