//! `longwatch export`: everything of a project in formats that any tool reads.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::moment::Moment;
use super::output::say;
use super::{Exit, Failure, block_on};
use crate::store::{ProjectId, Store};

/// What a reader of the files may rely on; counts up when that changes.
const FORMAT: u32 = 1;

/// Writes everything of all projects, or of one, as JSON and TOML; works beside a running server
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to: a directory that is not there yet or empty; each project gets one in it
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
    /// `sqlite:FILE` or `postgres://…`
    #[arg(long, value_name = "URL", env = "LONGWATCH_DATABASE", default_value = super::serve::DATABASE)]
    database: String,
    /// Only this project
    #[arg(long, value_name = "NAME", env = "LONGWATCH_PROJECT")]
    project: Option<String>,
}

/// Reads only; each project is as it was at one moment.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let mut there = fs::read_dir(&args.directory).into_iter().flatten();
    if there.next().is_some() {
        return Err(Failure::usage(
            format!("{} is not empty", args.directory.display()),
            "name a fresh directory",
        ));
    }
    block_on(async {
        let store = Store::open_existing(&args.database).await?;
        let done = export(&store, &args).await;
        store.close().await;
        done
    })
}

async fn export(store: &Store, args: &Args) -> Result<Exit, Failure> {
    let projects = match args.project.as_deref().filter(|name| !name.is_empty()) {
        None => store.projects().await?,
        Some(name) => {
            let found = store.projects().await?;
            let one: Vec<_> = found.into_iter().filter(|(_, slug)| slug == name).collect();
            if one.is_empty() {
                return Err(Failure::usage(
                    format!("no project is called {name}"),
                    "leave --project out for all of them",
                ));
            }
            one
        }
    };
    for (project, name) in projects {
        let rows = export_project(store, &project, &args.directory.join(&name)).await?;
        let counts: Vec<String> = rows
            .iter()
            .map(|(kind, n)| format!("{kind}: {n}"))
            .collect();
        say(format!("{name}: {}", counts.join(", ")))?;
    }
    Ok(Exit::Ok)
}

/// Writes a project's files; `manifest.json` comes last, so that where it stands all others are whole.
async fn export_project(
    store: &Store,
    project: &ProjectId,
    directory: &Path,
) -> Result<BTreeMap<&'static str, u64>, Failure> {
    fs::create_dir_all(directory).map_err(|error| Failure::file(directory, error))?;
    let began = Moment::now().to_string();
    let mut files: BTreeMap<&'static str, Lines> = BTreeMap::new();
    let mut policy = String::new();
    store
        .export(project, |kind, rows| {
            let lines = match files.get_mut(kind) {
                Some(lines) => lines,
                None => files.entry(kind).or_insert(Lines::create(directory, kind)?),
            };
            if let ("policies", Some(newest)) = (kind, rows.last()) {
                newest["toml"]
                    .as_str()
                    .unwrap_or_default()
                    .clone_into(&mut policy);
            }
            rows.iter().try_for_each(|row| lines.write(row))
        })
        .await?;
    let mut counts = BTreeMap::new();
    for (kind, lines) in files {
        counts.insert(kind, lines.finish()?);
    }
    whole(&directory.join("longwatch.toml"), policy.as_bytes())?;
    let manifest = json!({
        "format": FORMAT,
        "longwatch": env!("CARGO_PKG_VERSION"),
        "exported": began,
        "rows": counts,
    });
    whole(
        &directory.join("manifest.json"),
        format!("{manifest:#}\n").as_bytes(),
    )?;
    Ok(counts)
}

/// A file of JSON lines.
struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
    written: u64,
}

impl Lines {
    fn create(directory: &Path, kind: &str) -> Result<Lines, Failure> {
        let path = directory.join(format!("{kind}.ndjson"));
        let file = File::create_new(&path).map_err(|error| Failure::file(&path, error))?;
        Ok(Lines {
            path,
            file: BufWriter::new(file),
            written: 0,
        })
    }

    fn write(&mut self, row: &Value) -> Result<(), Failure> {
        self.written += 1;
        writeln!(self.file, "{row}").map_err(|error| Failure::file(&self.path, error))
    }

    /// Makes it durable; how many lines it holds.
    fn finish(mut self) -> Result<u64, Failure> {
        let flushed = self
            .file
            .flush()
            .and_then(|()| self.file.get_ref().sync_all());
        flushed.map_err(|error| Failure::file(&self.path, error))?;
        Ok(self.written)
    }
}

fn whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let written = File::create_new(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| Failure::file(path, error))
}
