//! What stands beside what: the two folders of migrations, the pieces of a collector, its few dependencies.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use collectors::Format;

use super::{File, files, hold, top};

fn names(entries: fs::ReadDir) -> BTreeSet<String> {
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn needs_more_than_it_may(manifest: &File) -> Vec<String> {
    let parsed: toml::Table = manifest.text.parse().unwrap();
    let needed = parsed["dependencies"].as_table().unwrap();
    needed
        .iter()
        .filter(|(name, how)| {
            how.get("path").is_some()
                || ["longwatch", "tokio", "sqlx", "axum"].contains(&name.as_str())
        })
        .map(|(name, _)| manifest.offence(1, &format!("collectors needs {name}")))
        .collect()
}

#[test]
fn collectors_stand_alone() {
    let manifest = File::new(
        "collectors/Cargo.toml",
        &fs::read_to_string(top().join("collectors/Cargo.toml")).unwrap(),
    );
    let made_up = File::new("Cargo.toml", "[dependencies]\ntokio = \"1\"");
    hold(needs_more_than_it_may, made_up, vec![manifest]);
}

/// Numbers of the migrations in a folder's file names.
fn migration_numbers(names: &BTreeSet<String>) -> Vec<u64> {
    let number = |name: &String| name.split('_').next().unwrap().parse().unwrap();
    names
        .iter()
        // What an operator of Citus runs is no migration.
        .filter(|n| n.ends_with(".sql") && *n != "distribute.sql")
        .map(number)
        .collect()
}

#[test]
fn both_databases_have_the_same_migrations() {
    let of = |engine: &str| names(fs::read_dir(top().join("migrations").join(engine)).unwrap());
    let (sqlite, postgres) = (of("sqlite"), of("postgres"));
    assert!(!sqlite.is_empty());
    assert_eq!(migration_numbers(&sqlite), migration_numbers(&postgres));
    let drifted = BTreeSet::from(["0001_first.sql".to_owned(), "0003_third.sql".to_owned()]);
    assert_ne!(migration_numbers(&drifted), vec![1, 2]);
}

/// Formats without a file of their own name or without a folder of fixtures, and folders that no format names.
fn incomplete(
    formats: &[&str],
    files: &BTreeSet<String>,
    folders: &BTreeSet<String>,
) -> Vec<String> {
    let has_file = |format: &str| {
        let stem = format.replace('-', "_");
        files.contains(&stem)
    };
    let unread = formats
        .iter()
        .filter(|format| !has_file(format) || !folders.contains(**format))
        .map(|format| format!("{format} lacks its file or its folder of fixtures"));
    let unnamed = folders
        .iter()
        .filter(|folder| !formats.contains(&folder.as_str()))
        .map(|folder| format!("test_data/{folder} belongs to no format"));
    unread.chain(unnamed).collect()
}

#[test]
fn a_collector_is_one_row_one_file_and_one_folder_of_fixtures() {
    let formats: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
    let stems: BTreeSet<String> = files("collectors/src", "rs")
        .iter()
        .map(|file| match file.stem() {
            "mod" => folder_of(&file.path),
            stem => stem.to_owned(),
        })
        .collect();
    let folders = names(fs::read_dir(top().join("collectors/test_data")).unwrap());
    let offences = incomplete(&formats, &stems, &folders);
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
    assert_eq!(incomplete(&["made-up"], &stems, &BTreeSet::new()).len(), 1);
    let stray = BTreeSet::from(["stray".to_owned()]);
    assert_eq!(incomplete(&[], &stems, &stray).len(), 1);
}

fn folder_of(path: &str) -> String {
    let parent = Path::new(path).parent().unwrap();
    parent.file_name().unwrap().to_str().unwrap().to_owned()
}
