//! Files and directories on disk: what a path stands for, and reading it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::criterion;
use crate::error::{ErrorKind, ParseError};
use crate::limits;
use crate::report::Report;
use crate::{ParseOptions, parse};

/// Reads a file, or a directory that is one result as a whole (a criterion tree).
pub fn parse_path(path: &Path, options: &ParseOptions) -> Result<Report, ParseError> {
    if !path.is_dir() {
        return parse(&read(path)?, options);
    }
    match discover(path)?.as_slice() {
        [] => Err(ParseError::new(
            ErrorKind::EmptyFile,
            format!(
                "{} holds no result files: nothing to ingest",
                path.display()
            ),
        )),
        [only] if only.is_dir() => parse(&criterion::bundle_tree(only)?, options),
        [only] => parse(&read(only)?, options),
        several => {
            let message = format!("{} holds {} results", path.display(), several.len());
            Err(ParseError::new(ErrorKind::WrongFormat, message).hint("read them one by one"))
        }
    }
}

/// What a path holds: the file itself, or a directory's files and criterion trees (each tree as its root), sorted.
///
/// Hidden files are left out and symbolic links are not followed. A walk is bounded by [`limits::WALKED_FILES`] and
/// [`limits::WALKED_DEPTH`].
pub fn discover(path: &Path) -> Result<Vec<PathBuf>, ParseError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    walk(path, 0, &mut found)?;
    found.sort();
    Ok(found)
}

fn walk(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), ParseError> {
    if depth > limits::WALKED_DEPTH {
        return Err(ParseError::new(
            ErrorKind::TooLarge,
            format!(
                "{} lies deeper than {} levels",
                directory.display(),
                limits::WALKED_DEPTH
            ),
        ));
    }
    if criterion::is_tree(directory)? {
        found.push(directory.to_owned());
        return Ok(());
    }
    for (path, is_dir) in entries(directory)? {
        if is_dir {
            walk(&path, depth + 1, found)?;
        } else {
            found.push(path);
        }
        if found.len() > limits::WALKED_FILES {
            let message = format!(
                "{} holds more than {} files",
                directory.display(),
                limits::WALKED_FILES
            );
            return Err(ParseError::new(ErrorKind::TooLarge, message));
        }
    }
    Ok(())
}

/// A directory's visible files and directories (`true`), sorted by name.
pub(crate) fn entries(directory: &Path) -> Result<Vec<(PathBuf, bool)>, ParseError> {
    let unreadable = |e: std::io::Error| {
        ParseError::new(
            ErrorKind::Unreadable,
            format!("{}: {e}", directory.display()),
        )
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let kind = entry.file_type().map_err(unreadable)?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !hidden && (kind.is_dir() || kind.is_file()) {
            entries.push((entry.path(), kind.is_dir()));
        }
        if entries.len() > limits::WALKED_FILES {
            let message = format!(
                "{} holds more than {} files",
                directory.display(),
                limits::WALKED_FILES
            );
            return Err(ParseError::new(ErrorKind::TooLarge, message));
        }
    }
    entries.sort();
    Ok(entries)
}

/// A file's bytes; one that is larger than the limit is refused unread.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ParseError> {
    let unreadable = |e: std::io::Error| {
        ParseError::new(ErrorKind::Unreadable, format!("{}: {e}", path.display()))
    };
    if fs::metadata(path).map_err(unreadable)?.len() > limits::INFLATED_BYTES {
        let message = format!(
            "{} is larger than {} bytes",
            path.display(),
            limits::INFLATED_BYTES
        );
        return Err(ParseError::new(ErrorKind::TooLarge, message).hint("send it in parts"));
    }
    fs::read(path).map_err(unreadable)
}
