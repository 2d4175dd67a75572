//! The page behind the one-time link: the first administrator makes an account.

use askama::Template;
use askama_web::WebTemplate;

use super::layout::Shell;

/// The page.
#[derive(Debug, Clone, PartialEq, Eq, Template, WebTemplate)]
#[template(path = "enrol.html")]
pub struct EnrolPage {
    /// What surrounds it.
    pub shell: Shell,
    /// Where the form goes.
    pub path: String,
    /// The name that was tried; may be empty.
    pub name: String,
    /// What is wrong with what was sent; may be empty.
    pub fault: String,
}
