//! `longwatch apply`: declares flows, budgets, gates and routes, or says what would change.

use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::Value;

use super::client::{Client, Content};
use super::connection::Connection;
use super::output::{say, say_json};
use super::{Exit, Failure, block_on};
use crate::config::Config;

/// Declares the flows, budgets, gates and routes of a longwatch.toml
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file
    #[arg(value_name = "FILE", default_value = "longwatch.toml")]
    file: PathBuf,
    /// Only say what would change; ends with 1 where something would
    #[arg(long)]
    check: bool,
    /// Print the server's answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Reads and checks the file here, so that its faults are told without a server, then sends it.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let (text, config) = read(&args.file)?;
    for warning in config.warnings() {
        eprintln!("longwatch: {}: {warning}", args.file.display());
    }
    let project = match args.connection.project_if_given() {
        Some(project) => project,
        None => config
            .project
            .name
            .clone()
            .map_or_else(|| args.connection.project(), Ok)?,
    };
    let client = Client::for_project(&args.connection, project)?;
    let query: &[_] = if args.check {
        &[("check".to_owned(), "true".to_owned())]
    } else {
        &[]
    };
    let content = Content::text("application/toml", text);
    let answer = block_on(async {
        Ok(client
            .send(Method::PUT, client.address(&["config"], query), content)
            .await?)
    })?;
    if args.json {
        say_json(&answer)?;
    } else {
        lines(&answer, &client, args.check)
            .iter()
            .try_for_each(say)?;
    }
    let differs = !entries(&answer, "changes").is_empty();
    Ok(if args.check && differs {
        Exit::No
    } else {
        Exit::Ok
    })
}

fn read(path: &Path) -> Result<(String, Config), Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, error))?;
    match Config::parse(&text) {
        Ok(config) => Ok((text, config)),
        Err(source) => Err(Failure::Config {
            path: path.to_owned(),
            source,
        }),
    }
}

/// The answer in words: what changes, and what each gate's margin needs.
fn lines(answer: &Value, client: &Client, check: bool) -> Vec<String> {
    let project = client.project();
    let changes = entries(answer, "changes");
    let head = match (changes.len(), check) {
        (0, _) => format!("{project}: nothing changes"),
        (n, true) => format!("{project}: would change {n} declaration{}", plural(n)),
        (n, false) => format!("{project}: changed {n} declaration{}", plural(n)),
    };
    let said = |entry: &Value| format!("  {}", sentence(entry));
    let gates = entries(answer, "gates").iter().map(said);
    let warnings = entries(answer, "warnings")
        .iter()
        .map(|entry| format!("  warning: {}", sentence(entry)));
    [head]
        .into_iter()
        .chain(changes.iter().map(said))
        .chain(gates)
        .chain(warnings)
        .collect()
}

fn entries<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    answer
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// An entry's sentence: itself, or its `text`, after the gate's name where it has one.
fn sentence(entry: &Value) -> String {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    match (entry.as_str().or_else(|| text("text")), text("gate")) {
        (Some(words), Some(gate)) => format!("gate `{gate}`: {words}"),
        (Some(words), None) => words.to_owned(),
        (None, _) => entry.to_string(),
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::sentence;

    #[test]
    fn entries_are_told_as_sentences() {
        assert_eq!(sentence(&json!("adds flow `a`")), "adds flow `a`");
        assert_eq!(
            sentence(&json!({"action": "add", "text": "adds flow `a`"})),
            "adds flow `a`"
        );
        assert_eq!(
            sentence(&json!({"gate": "release", "text": "14 runs"})),
            "gate `release`: 14 runs"
        );
    }
}
