//! The addresses of pages. Names are percent-encoded, so that a flow called `parse/large` is one segment.

/// The list of projects.
pub const PROJECTS: &str = "/";
/// The sign-in page.
pub const LOGIN: &str = "/login";
/// Signing out.
pub const LOGOUT: &str = "/logout";

/// A project's overview; the root of all its pages.
pub fn project(project: &str) -> String {
    format!("/{}", segment(project))
}

/// One of a project's pages without a name of its own: `findings`, `gates`, `budgets`, `months`, `compare`, `settings`.
pub fn page(project_name: &str, page: &str) -> String {
    format!("{}/{page}", project(project_name))
}

/// A flow.
pub fn flow(project_name: &str, flow: &str) -> String {
    format!("{}/flows/{}", project(project_name), segment(flow))
}

/// A flow with one of its series chosen.
pub fn series(project_name: &str, flow_name: &str, series: &str) -> String {
    format!(
        "{}?series={}",
        flow(project_name, flow_name),
        segment(series)
    )
}

/// A release.
pub fn release(project_name: &str, release: &str) -> String {
    format!("{}/releases/{}", project(project_name), segment(release))
}

/// A finding.
pub fn finding(project_name: &str, id: &str) -> String {
    format!("{}/findings/{}", project(project_name), segment(id))
}

/// A gate's newest verdict, or its list.
pub fn gate(project_name: &str, gate: &str) -> String {
    format!("{}/gates/{}", project(project_name), segment(gate))
}

/// One verdict of a gate.
pub fn verdict(project_name: &str, gate_name: &str, id: &str) -> String {
    format!("{}/verdicts/{}", gate(project_name, gate_name), segment(id))
}

/// Two releases of one series side by side.
pub fn compare(project_name: &str, series: &str, base: &str, head: &str) -> String {
    let (series, base, head) = (segment(series), segment(base), segment(head));
    format!(
        "{}?series={series}&base={base}&head={head}",
        page(project_name, "compare")
    )
}

/// One segment of a path or one value of a query: all but unreserved characters are percent-encoded.
pub fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_segment() {
        assert_eq!(flow("shop", "parse/large"), "/shop/flows/parse%2Flarge");
        assert_eq!(release("shop", "?a=1#b"), "/shop/releases/%3Fa%3D1%23b");
        assert_eq!(series("a b", "x", "é"), "/a%20b/flows/x?series=%C3%A9");
        assert_eq!(
            compare("shop", "s", "v1&x", "v2"),
            "/shop/compare?series=s&base=v1%26x&head=v2"
        );
    }
}
