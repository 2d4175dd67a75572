//! What code may name, and where.

use super::{File, files, hold};

/// No Rust file is longer; past 300 lines one asks what the second idea is.
const LINES_MAX: usize = 600;

/// Whether a line names this word, not only as a part of another.
fn names_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

fn words(file: &File, forbidden: &[&str], why: &str) -> Vec<String> {
    let lines: Vec<_> = file.code().collect();
    lines
        .iter()
        .flat_map(|(number, line)| {
            let named = forbidden.iter().filter(|word| names_word(line, word));
            named.map(|word| file.offence(*number, &format!("`{word}`: {why}")))
        })
        .collect()
}

fn speaks_sql(file: &File) -> Vec<String> {
    if file.path.starts_with("src/store/") {
        return Vec::new();
    }
    let mut offences = words(file, &["sqlx"], "the database stands behind src/store");
    for (number, line) in file.code() {
        // A statement begins a string, or a line of a longer one.
        let starts = line.split('"').skip(1).chain([line]);
        if starts.map(str::trim_start).any(begins_statement) {
            offences.push(file.offence(number, "SQL stands only under src/store"));
        }
    }
    offences
}

fn begins_statement(text: &str) -> bool {
    [
        "SELECT ",
        "INSERT ",
        "UPDATE ",
        "DELETE ",
        "CREATE TABLE",
        "BEGIN IMM",
    ]
    .iter()
    .any(|keyword| text.starts_with(keyword))
}

#[test]
fn sql_stands_only_under_the_store() {
    let made_up = File::new("src/writer.rs", r#"let sql = "SELECT 1 FROM series";"#);
    let mut guarded = files("src", "rs");
    guarded.extend(files("collectors/src", "rs"));
    hold(speaks_sql, made_up, guarded);
    let import = File::new("src/folder.rs", "use sqlx::Row;");
    assert_eq!(speaks_sql(&import).len(), 1);
    let prose = File::new("src/cli/apply.rs", "// UPDATE is a word here; sqlx too");
    assert!(speaks_sql(&prose).is_empty());
}

fn does_io(file: &File) -> Vec<String> {
    const OUTSIDE: &[&str] = &[
        "tokio",
        "sqlx",
        "axum",
        "reqwest",
        "std::fs",
        "std::env",
        "SystemTime",
        "Instant",
        "Timestamp::now",
        "Zoned::now",
    ];
    words(file, OUTSIDE, "statistics are pure: pass it in")
}

#[test]
fn statistics_name_no_runtime_no_file_system_and_no_clock() {
    let made_up = File::new("src/stats/gate.rs", "let now = jiff::Timestamp::now();");
    hold(does_io, made_up, files("src/stats", "rs"));
}

/// A blocking closure that its handler awaits is no spawned task.
fn spawns(file: &File) -> Vec<String> {
    file.shipped()
        .filter(|(_, line)| {
            line.contains("spawn(") || names_word(line, "JoinSet") || line.contains("Command::new")
        })
        .map(|(number, _)| file.offence(number, "handlers never spawn"))
        .collect()
}

#[test]
fn http_never_spawns() {
    let made_up = File::new("src/http/rum.rs", "tokio::spawn(async move {});");
    hold(spawns, made_up, files("src/http", "rs"));
    let in_tests = File::new("src/http/rum.rs", "#[cfg(test)]\ntokio::spawn(server);");
    assert!(spawns(&in_tests).is_empty());
}

fn escapes_the_statement_cache(file: &File) -> Vec<String> {
    file.code()
        .filter(|(_, line)| line.contains(".persistent(false)"))
        .map(|(number, _)| {
            file.offence(
                number,
                "behind a transaction pooler this returns others' rows",
            )
        })
        .collect()
}

#[test]
fn every_statement_is_prepared_by_name() {
    let made_up = File::new("src/store/db.rs", "query(SQL).persistent(false)");
    hold(escapes_the_statement_cache, made_up, files("src", "rs"));
}

fn is_too_long(file: &File) -> Vec<String> {
    let lines = file.text.lines().count();
    let offence = || file.offence(lines, &format!("{lines} lines, at most {LINES_MAX}"));
    (lines > LINES_MAX).then(offence).into_iter().collect()
}

#[test]
fn no_file_is_over_six_hundred_lines() {
    let made_up = File::new("src/long.rs", &"//\n".repeat(LINES_MAX + 1));
    let mut guarded = files("src", "rs");
    guarded.extend(files("collectors", "rs"));
    guarded.extend(files("tests", "rs"));
    hold(is_too_long, made_up, guarded);
}
