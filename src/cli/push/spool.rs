//! Uploads that wait on disk until the server is back, a file each: a line of JSON, then the body.
//!
//! A file is written beside its place, flushed, and renamed, so that one that is there is whole. The token is not in it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::upload::Upload;

/// How many uploads may wait: weeks of nightly runs.
const FILES: usize = 1_000;
/// How many bytes may wait in all.
const BYTES: u64 = 1 << 30;
/// What waits.
const WAITING: &str = "upload";
/// What the server would not take later: kept for its owner to look at.
const REFUSED: &str = "refused";

/// The directory where uploads wait.
#[derive(Debug, Clone)]
pub(super) struct Spool {
    directory: Option<PathBuf>,
}

/// An upload with the server and project that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) path: PathBuf,
    pub(super) url: String,
    pub(super) project: String,
    pub(super) upload: Upload,
}

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    url: String,
    project: String,
    name: String,
    key: String,
    gzip: bool,
    query: Vec<(String, String)>,
}

impl Spool {
    /// The directory given, else the one of the XDG base directory specification's state.
    pub(super) fn at(given: Option<PathBuf>) -> Self {
        let variable = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let state =
            || variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state")));
        Self {
            directory: given.or_else(|| Some(state()?.join("longwatch/spool"))),
        }
    }

    /// Keeps an upload; its place. Errs where there is no room or the disk does not take it.
    pub(super) fn keep(&self, url: &str, project: &str, upload: &Upload) -> io::Result<PathBuf> {
        let directory = self.directory.as_deref().ok_or_else(|| {
            io::Error::other("neither HOME nor --spool says where uploads may wait")
        })?;
        fs::create_dir_all(directory)?;
        self.room_for(upload.body.len() as u64)?;
        let header = Header {
            version: 1,
            url: url.to_owned(),
            project: project.to_owned(),
            name: upload.name.clone(),
            key: upload.key.clone(),
            gzip: upload.gzip,
            query: upload.query.clone(),
        };
        // The time keeps the order; the key makes the same upload the same file, however often it is tried in a row.
        let stamp = jiff::Timestamp::now().as_microsecond();
        let short = upload.key.get(..16).unwrap_or(&upload.key);
        let earlier = self.paths()?.into_iter().find(|path| {
            path.to_string_lossy()
                .ends_with(&format!("-{short}.{WAITING}"))
        });
        let place =
            earlier.unwrap_or_else(|| directory.join(format!("{stamp:020}-{short}.{WAITING}")));
        let beside = directory.join(format!(".{short}.{}", std::process::id()));
        let written =
            write_whole(&beside, &header, &upload.body).and_then(|()| fs::rename(&beside, &place));
        if written.is_err() {
            let _ = fs::remove_file(&beside);
        }
        written?;
        File::open(directory)?.sync_all()?;
        Ok(place)
    }

    fn room_for(&self, bytes: u64) -> io::Result<()> {
        let waiting = self.paths()?;
        let used: u64 = waiting
            .iter()
            .filter_map(|path| fs::metadata(path).ok())
            .map(|file| file.len())
            .sum();
        if waiting.len() >= FILES || used + bytes > BYTES {
            return Err(io::Error::other(format!(
                "{} uploads with {used} bytes wait already, and no more are kept",
                waiting.len()
            )));
        }
        Ok(())
    }

    /// What waits, oldest first.
    pub(super) fn paths(&self) -> io::Result<Vec<PathBuf>> {
        let Some(directory) = &self.directory else {
            return Ok(Vec::new());
        };
        let entries = match fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut paths: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == WAITING)
            })
            .collect();
        paths.sort();
        Ok(paths)
    }

    /// Reads one that waits; errs where it is not of our making.
    pub(super) fn read(path: &Path) -> io::Result<Waiting> {
        let bytes = fs::read(path)?;
        let end = bytes
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or(io::ErrorKind::InvalidData)?;
        let header: Header = serde_json::from_slice(&bytes[..end])?;
        if header.version != 1 {
            return Err(io::Error::other("a later version of longwatch wrote it"));
        }
        let upload = Upload {
            name: header.name,
            key: header.key,
            gzip: header.gzip,
            query: header.query,
            body: bytes[end + 1..].to_vec(),
        };
        Ok(Waiting {
            path: path.to_owned(),
            url: header.url,
            project: header.project,
            upload,
        })
    }

    /// Takes one out that has arrived. Another push may have done so already.
    pub(super) fn remove(path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Sets one aside that the server refuses.
    pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
        let aside = path.with_extension(REFUSED);
        fs::rename(path, &aside)?;
        Ok(aside)
    }
}

fn write_whole(path: &Path, header: &Header, body: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    serde_json::to_writer(&mut file, header)?;
    file.write_all(b"\n")?;
    file.write_all(body)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn upload(key: &str) -> Upload {
        let query = vec![("release".to_owned(), "v1".to_owned())];
        Upload {
            name: "a.json".to_owned(),
            key: key.repeat(16),
            gzip: true,
            query,
            body: b"line\nline".to_vec(),
        }
    }

    #[test]
    fn what_is_kept_reads_back_in_the_order_of_keeping() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::at(Some(directory.path().join("deep/spool")));
        assert_eq!(spool.paths().unwrap(), Vec::<PathBuf>::new());
        let first = spool.keep("http://a/", "shop", &upload("b")).unwrap();
        let second = spool.keep("http://a/", "shop", &upload("a")).unwrap();
        assert_eq!(spool.paths().unwrap(), [first.clone(), second]);
        let read = Spool::read(&first).unwrap();
        assert_eq!(
            (read.upload, read.url.as_str(), read.project.as_str()),
            (upload("b"), "http://a/", "shop")
        );
    }

    #[test]
    fn the_same_upload_waits_once() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::at(Some(directory.path().to_owned()));
        let first = spool.keep("http://a/", "shop", &upload("b")).unwrap();
        assert_eq!(
            spool.keep("http://a/", "shop", &upload("b")).unwrap(),
            first
        );
        assert_eq!(spool.paths().unwrap().len(), 1);
    }

    #[test]
    fn a_file_that_is_not_ours_is_an_error_and_one_that_is_gone_needs_no_removal() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.upload");
        for content in ["", "no line end", "{}\n", "{\"version\":1}\n"] {
            fs::write(&path, content).unwrap();
            assert!(Spool::read(&path).is_err(), "{content}");
        }
        Spool::remove(&path).unwrap();
        Spool::remove(&path).unwrap();
    }
}
