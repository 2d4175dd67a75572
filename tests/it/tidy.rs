//! Walls of the code base. Each wall is a function from a file's text to offences, tried on a made-up offence first and
//! then on every file that it guards.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod code;
mod layout;
mod templates;

use std::fs;
use std::path::Path;

/// A file of this repository, by its path from the top.
struct File {
    path: String,
    text: String,
}

impl File {
    fn new(path: &str, text: &str) -> Self {
        File {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// The lines with their numbers, comments taken off.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines().map(|line| match line.find("//") {
            // An address in a string is no comment.
            Some(at) if !line[..at].ends_with(':') => &line[..at],
            _ => line,
        }))
    }

    /// The same, up to the unit tests underneath.
    fn shipped(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test_file = self.path.ends_with("tests.rs");
        self.code()
            .take_while(move |(_, line)| !is_test_file && !line.contains("#[cfg(test)]"))
    }

    fn offence(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }

    fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap();
        name.split('.').next().unwrap()
    }
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files under a folder with this extension; a folder that does not stand has none.
fn files(folder: &str, extension: &str) -> Vec<File> {
    let mut found = Vec::new();
    let mut folders = vec![top().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                let name = path.strip_prefix(top()).unwrap().display().to_string();
                found.push(File::new(&name, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Holds a wall: it sees the made-up offence, and no file offends.
fn hold(wall: fn(&File) -> Vec<String>, made_up: File, guarded: Vec<File>) {
    assert!(
        !wall(&made_up).is_empty(),
        "the wall is blind to {:?}",
        made_up.text
    );
    assert!(!guarded.is_empty(), "the wall guards nothing");
    let offences: Vec<String> = guarded.iter().flat_map(wall).collect();
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}
