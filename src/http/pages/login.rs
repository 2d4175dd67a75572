//! Signing in: a name, a password, a button, and one error that tells nothing more.

use askama::Template;
use askama_web::WebTemplate;

use super::layout::Shell;

/// The page.
#[derive(Debug, Clone, PartialEq, Eq, Template, WebTemplate)]
#[template(path = "login.html")]
pub struct LoginPage {
    /// What surrounds it.
    pub shell: Shell,
    /// The name that was tried; may be empty.
    pub name: String,
    /// True after a wrong name or password.
    pub is_wrong: bool,
    /// The local path to go on to; may be empty.
    pub next: String,
}
