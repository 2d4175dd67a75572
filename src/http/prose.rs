//! Sentences with emphasis and links in them, escaped piece by piece, so that a template can show them as they are.

use std::fmt;

use askama::filters::{Escaper, Html, HtmlSafe};

/// A sentence under construction: `Prose::of("P75: ").bold("2.18 → 2.41 s")`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prose(String);

impl Prose {
    /// Begins with plain words.
    pub fn of(text: &str) -> Self {
        Prose::default().plain(text)
    }

    /// Goes on with plain words.
    #[must_use]
    pub fn plain(mut self, text: &str) -> Self {
        push_escaped(&mut self.0, text);
        self
    }

    /// Goes on with what matters most.
    #[must_use]
    pub fn bold(self, text: &str) -> Self {
        self.wrapped("b", text)
    }

    /// Goes on with something typed by hand.
    #[must_use]
    pub fn code(self, text: &str) -> Self {
        self.wrapped("code", text)
    }

    /// Goes on with a link; `path` is a path of this site, made by [`super::paths`].
    #[must_use]
    pub fn link(mut self, path: &str, text: &str) -> Self {
        self.0.push_str("<a href=\"");
        push_escaped(&mut self.0, path);
        self.0.push_str("\">");
        push_escaped(&mut self.0, text);
        self.0.push_str("</a>");
        self
    }

    /// True when nothing was said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn wrapped(mut self, tag: &str, text: &str) -> Self {
        self.0.push_str(&format!("<{tag}>"));
        push_escaped(&mut self.0, text);
        self.0.push_str(&format!("</{tag}>"));
        self
    }
}

impl fmt::Display for Prose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Prose {}

fn push_escaped(out: &mut String, text: &str) {
    // Writing into a string cannot fail.
    Html.write_escaped_str(out, text).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_escaped() {
        let attack = "\"><script>alert(1)</script>";
        let prose = Prose::of(attack)
            .bold(attack)
            .code(attack)
            .link(attack, attack)
            .to_string();
        assert!(!prose.contains("<script"), "{prose}");
        assert_eq!(
            prose.matches('"').count(),
            2,
            "only the quotes of href: {prose}"
        );
    }
}
