//! Renders every page from made-up values, and once without any, into a folder, to be looked at in a browser:
//! `cargo run --example preview -- FOLDER`.

mod empty;
mod managers;
mod shop;
mod verdicts;
mod watched;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use askama::Template;

fn main() -> io::Result<()> {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from("target/preview"), PathBuf::from);
    fs::create_dir_all(&folder)?;
    write(&folder, "overview", &watched::overview())?;
    write(&folder, "flow", &watched::flow())?;
    write(&folder, "finding", &watched::finding())?;
    write(&folder, "findings", &watched::findings())?;
    write(&folder, "gate", &verdicts::gate())?;
    write(&folder, "gates", &verdicts::gates())?;
    write(&folder, "release", &verdicts::release())?;
    write(&folder, "compare", &verdicts::compare())?;
    write(&folder, "months", &managers::months())?;
    write(&folder, "budgets", &managers::budgets())?;
    write(&folder, "projects", &managers::projects())?;
    write(&folder, "settings", &managers::settings())?;
    write(&folder, "login", &managers::login())?;
    write(&folder, "error", &managers::error())?;
    write(&folder, "calm", &empty::calm_overview())?;
    write(&folder, "empty-overview", &empty::overview())?;
    write(&folder, "empty-flow", &empty::flow())?;
    write(&folder, "empty-findings", &empty::findings())?;
    write(&folder, "empty-gates", &empty::gates())?;
    write(&folder, "empty-budgets", &empty::budgets())?;
    write(&folder, "empty-months", &empty::months())?;
    write(&folder, "empty-compare", &empty::compare())?;
    write(&folder, "empty-release", &empty::release())?;
    write(&folder, "empty-settings", &empty::settings())?;
    write(&folder, "empty-projects", &empty::projects())
}

/// The style sheet stands beside the pages, since a file has no server.
fn write(folder: &Path, name: &str, page: &impl Template) -> io::Result<()> {
    fs::copy("assets/style.css", folder.join("style.css"))?;
    let html = page.render().map_err(io::Error::other)?;
    let style = longwatch::http::assets::address("style.css");
    fs::write(
        folder.join(format!("{name}.html")),
        html.replace(&style, "style.css"),
    )
}
