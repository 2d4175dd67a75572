//! What the arguments stand for: files, standard input, and the results that a directory holds.

use std::io::Read;
use std::path::PathBuf;

use collectors::ParseError;

use super::super::Failure;
use super::super::client::Problem;
use super::outcome::Outcome;

/// The largest file that a server takes, in bytes, before compression.
pub(super) const FILE_BYTES: u64 = collectors::limits::INFLATED_BYTES;

/// Something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    /// What people call it.
    pub(super) name: String,
    /// Whether its sender named it, rather than the directory that it was found in.
    pub(super) was_named: bool,
    origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    StandardInput,
    File(PathBuf),
    /// A criterion tree, sent as one document.
    Tree(PathBuf),
}

/// Everything that the arguments stand for, in their order; errs where one does not exist.
pub(super) fn of(paths: &[PathBuf]) -> Result<Vec<Input>, Failure> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            inputs.push(Input {
                name: "standard input".to_owned(),
                was_named: true,
                origin: Origin::StandardInput,
            });
            continue;
        }
        let is_directory = std::fs::metadata(path)
            .map_err(|error| Failure::file(path, error))?
            .is_dir();
        let found = collectors::discover(path).map_err(|error| {
            Failure::usage(
                format!("{}: {}", path.display(), error.message),
                error.hint.unwrap_or_default(),
            )
        })?;
        inputs.extend(found.into_iter().map(|path| Input::at(path, !is_directory)));
    }
    Ok(inputs)
}

impl Input {
    fn at(path: PathBuf, was_named: bool) -> Self {
        let name = path.display().to_string();
        let origin = if path.is_dir() {
            Origin::Tree(path)
        } else {
            Origin::File(path)
        };
        Self {
            name,
            was_named,
            origin,
        }
    }

    /// Its bytes, or what became of it since it has none; one that is too large gives one byte more than a server takes.
    pub(super) fn read(&self) -> Result<Vec<u8>, Outcome> {
        let lost = |error: std::io::Error| Outcome::Lost {
            why: error.to_string(),
        };
        match &self.origin {
            Origin::StandardInput => bounded(std::io::stdin().lock()).map_err(lost),
            Origin::File(path) => std::fs::File::open(path).and_then(bounded).map_err(lost),
            Origin::Tree(path) => collectors::bundle_tree(path).map_err(|error| Outcome::Refused {
                problem: refusal(error),
            }),
        }
    }
}

/// A refusal of our own, in the words in which the server would have refused.
fn refusal(error: ParseError) -> Problem {
    Problem {
        status: 422,
        code: error.kind.name().to_owned(),
        detail: error.message,
        place: error
            .place
            .map(|place| place.to_string())
            .unwrap_or_default(),
        hint: error.hint,
    }
}

fn bounded(source: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
