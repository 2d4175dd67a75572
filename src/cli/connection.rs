//! Where the server is and who asks: the options that all client commands share.

use std::path::PathBuf;

use reqwest::Url;

use super::Failure;

/// The server, the project, the token.
#[derive(clap::Args, Clone, Default)]
pub(crate) struct Connection {
    /// The server's address
    #[arg(
        long,
        value_name = "URL",
        env = "LONGWATCH_URL",
        default_value = "http://127.0.0.1:7878",
        help_heading = "Connection"
    )]
    url: String,
    /// The project
    #[arg(
        long,
        value_name = "NAME",
        env = "LONGWATCH_PROJECT",
        help_heading = "Connection"
    )]
    project: Option<String>,
    /// The token; prefer LONGWATCH_TOKEN, since other users of a machine can see arguments
    #[arg(
        long,
        env = "LONGWATCH_TOKEN",
        hide_env_values = true,
        help_heading = "Connection"
    )]
    token: Option<String>,
    /// A file that holds the token
    #[arg(
        long,
        value_name = "FILE",
        env = "LONGWATCH_TOKEN_FILE",
        help_heading = "Connection"
    )]
    token_file: Option<PathBuf>,
}

impl Connection {
    /// The address; errs where it is none that we can ask.
    pub(super) fn url(&self) -> Result<Url, Failure> {
        let hint = "write it like https://longwatch.example.org";
        let url = Url::parse(&self.url).map_err(|error| {
            Failure::usage(format!("`{}` is no address: {error}", self.url), hint)
        })?;
        match url.scheme() {
            "http" | "https" if url.has_host() => Ok(url),
            _ => Err(Failure::usage(
                format!("`{}` is neither http nor https", self.url),
                hint,
            )),
        }
    }

    /// The project; errs where none is given.
    pub(super) fn project(&self) -> Result<String, Failure> {
        self.project_if_given().ok_or_else(|| {
            Failure::usage(
                "no project is given",
                "set LONGWATCH_PROJECT or give --project",
            )
        })
    }

    /// The project, if one is given.
    pub(super) fn project_if_given(&self) -> Option<String> {
        self.project.clone().filter(|project| !project.is_empty())
    }

    /// The token, if one is given; an argument or variable wins over a file.
    pub(super) fn token(&self) -> Result<Option<String>, Failure> {
        let given = self.token.clone().filter(|token| !token.is_empty());
        let file = self
            .token_file
            .as_ref()
            .filter(|path| !path.as_os_str().is_empty());
        match (given, file) {
            (Some(token), _) => Ok(Some(token)),
            (None, Some(path)) => {
                let text =
                    std::fs::read_to_string(path).map_err(|error| Failure::file(path, error))?;
                Ok(Some(text.trim().to_owned()))
            }
            (None, None) => Ok(None),
        }
    }
}
