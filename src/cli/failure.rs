//! Why a command could not do its work, as its caller reads it: what, where, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use super::client::ClientError;
use super::exit::Exit;
use crate::config::ConfigError;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The arguments do not make sense together; says what to write instead.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: String,
    },
    /// The server could not be asked, or refused.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A file, or another thing of the operating system, could not be used.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A `longwatch.toml` has a fault.
    #[error("{path}: {source}", path = path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: ConfigError,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// A backup could not be made or restored.
    #[error(transparent)]
    Backup(#[from] crate::store::BackupError),
    /// Whoever read our output has closed it; nothing more to say.
    #[error("standard output is closed")]
    Closed,
}

impl Failure {
    /// Wrong usage, and what to do instead.
    pub(crate) fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage {
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// A file that could not be used.
    pub(crate) fn file(path: impl AsRef<Path>, source: io::Error) -> Self {
        Self::File {
            path: path.as_ref().to_owned(),
            source,
        }
    }

    /// The exit code to end with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Closed => Exit::Ok,
            _ => Exit::Failed,
        }
    }

    /// Says it on standard error.
    pub(crate) fn print(&self) {
        match self {
            Self::Closed => {}
            _ => eprintln!("longwatch: {}", self.words()),
        }
    }

    /// The message, and below it the hint where there is one.
    pub(crate) fn words(&self) -> String {
        let hint = match self {
            Self::Usage { hint, .. } => Some(hint.clone()),
            Self::Client(error) => error.hint(),
            _ => None,
        };
        match hint.filter(|hint| !hint.is_empty()) {
            Some(hint) => format!("{self}\n  hint: {hint}"),
            None => self.to_string(),
        }
    }
}
