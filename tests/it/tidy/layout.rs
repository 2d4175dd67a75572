//! What stands beside what: the two folders of migrations, the pieces of a collector, its few dependencies.

use std::fs;

use super::{File, hold, top};

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
