//! What happened, what to do, and under which id it can be found.

use askama::Template;
use askama_web::WebTemplate;

use super::layout::Shell;

/// The page.
#[derive(Debug, Clone, PartialEq, Eq, Template, WebTemplate)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// What surrounds it.
    pub shell: Shell,
    /// What happened, as a heading.
    pub title: String,
    /// What the reader can do.
    pub remedy: String,
    /// The request's id; may be empty.
    pub request_id: String,
}

impl ErrorPage {
    /// For things that are absent or belong to somebody else; nobody learns which.
    pub fn not_found(shell: Shell, request_id: String) -> Self {
        let remedy = "The address may be mistyped, or the thing may be gone. Go back to the start."
            .to_owned();
        ErrorPage {
            shell,
            title: "Nothing here that you may see.".to_owned(),
            remedy,
            request_id,
        }
    }

    /// For a server that cannot keep up just now.
    pub fn busy(shell: Shell, retry_after_seconds: u64, request_id: String) -> Self {
        let title = format!("Busy, nothing is lost; try again in {retry_after_seconds} s.");
        let remedy = "What was accepted is kept. This page only needs a moment.".to_owned();
        ErrorPage {
            shell,
            title,
            remedy,
            request_id,
        }
    }

    /// For a limit that was reached.
    pub fn too_many(shell: Shell, limit: &str, request_id: String) -> Self {
        let title = format!("The limit “{limit}” is reached.");
        let remedy = "Wait a little, or raise the limit under [project.limits] in longwatch.toml."
            .to_owned();
        ErrorPage {
            shell,
            title,
            remedy,
            request_id,
        }
    }

    /// For a fault of ours.
    pub fn fault(shell: Shell, request_id: String) -> Self {
        let remedy = "The fault is on this side and was written down. Try again; if it stays, tell us the id below.".to_owned();
        ErrorPage {
            shell,
            title: "This page could not be computed.".to_owned(),
            remedy,
            request_id,
        }
    }
}
