//! The rules that let the same schema and statements run on Citus, spread by project. Citus itself is no package of any
//! distribution: what it refuses is known (foreign keys and keys without the project, statements that name no project,
//! functions of the moment in changes), so that schema and statements can be held to it here.

use std::collections::BTreeSet;

use sqlx::{Connection, Executor, PgConnection};

use super::migrated;
use super::schema::Table;
use super::source::statements;
use super::statement::{Query, Statement, unqualified};

/// Tables that every node holds whole: what is looked up before the project is known.
const REFERENCE: &[&str] = &["access_token", "account", "enrolment", "project", "session"];

/// Statements that look into all projects for waiting work: plain reads, asked of all workers.
const POLLS: &[&str] = &[
    "deletions::UNDONE",
    "findings::WAITING",
    "journal::WAITING",
    "leases::RESTING",
    "outbox::DUE",
    "page_views::DUE_PROJECTS",
    "page_views::first_schema::LEFT",
];
/// Rows of a project that become rows of the same project: both tables lie on its worker.
const WITHIN: &[&str] = &["deletions::LIST_JOURNAL"];
/// Statements of a server that has its database alone: on SQLite only.
const ALONE: &[&str] = &["leases::END_CLAIMS", "leases::END_LEASES"];

/// Words that Citus refuses, in changes at least, or that mean another thing on each node.
const FORBIDDEN: &[&str] = &[
    "ADVISORY",
    "CLOCK_TIMESTAMP",
    "CURRENT_DATE",
    "CURRENT_TIMESTAMP",
    "FOR",
    "GEN_RANDOM_UUID",
    "LISTEN",
    "LOCK",
    "NEXTVAL",
    "NOTIFY",
    "NOW",
    "PG_ADVISORY_LOCK",
    "RANDOM",
    "RECURSIVE",
    "UNION",
    "WITH",
];

fn is_distributed(table: &&str) -> bool {
    !REFERENCE.contains(table)
}

fn offences(statement: &Statement) -> Vec<String> {
    let mut offences = Vec::new();
    for token in statement.tokens() {
        let word = token.text.to_uppercase();
        if FORBIDDEN.contains(&word.as_str()) {
            offences.push(format!("{}: Citus has no {word} here", statement.name));
        }
    }
    let mut projects = BTreeSet::new();
    for query in statement.queries() {
        let tables = query.tables();
        if tables.iter().any(is_distributed) {
            let wrong = wrong_with(statement, &query, &tables, &mut projects);
            offences.extend(wrong.map(|what| format!("{}: {what}", statement.name)));
        }
    }
    if projects.len() > 1 {
        offences.push(format!("{}: names several projects", statement.name));
    }
    offences
}

fn wrong_with(
    statement: &Statement,
    query: &Query,
    tables: &[&str],
    projects: &mut BTreeSet<String>,
) -> Option<&'static str> {
    let spread = tables.iter().filter(|table| is_distributed(table)).count();
    if spread > 1 && !WITHIN.contains(&statement.name.as_str()) {
        return Some("joins a table that is spread by project");
    }
    if query
        .columns_set()
        .iter()
        .any(|column| unqualified(column) == "project_id")
    {
        return Some("moves a row to another project");
    }
    if query.verb() == "INSERT" {
        let names = |word| query.columns_after(word).contains(&"project_id");
        let has_conflict = query.has("CONFLICT");
        return match (names("INTO"), !has_conflict || names("CONFLICT")) {
            (true, true) => None,
            (false, _) => Some("inserts without project_id"),
            (_, false) => Some("its conflict target lacks project_id"),
        };
    }
    if query.has("OR") {
        return Some("OR may reach beyond the project");
    }
    let conditions = query.conditions();
    let of_project = conditions
        .iter()
        .find(|condition| condition.is_of_project());
    if let Some(condition) = of_project {
        projects.insert(condition.rest[1].clone());
        return None;
    }
    let name = statement.name.as_str();
    // Beside the one table that is read through, a reference table may be asked: each worker has it whole.
    let queries = statement.queries();
    let spread = queries
        .iter()
        .filter(|query| query.tables().iter().any(is_distributed));
    let is_plain_read = query.verb() == "SELECT" && spread.count() == 1;
    let may = ALONE.contains(&name) || (POLLS.contains(&name) && is_plain_read);
    (!may).then_some("names no project")
}

#[test]
fn every_statement_names_its_project_and_nothing_that_citus_refuses() {
    let statements = statements();
    let found: Vec<String> = statements.iter().flat_map(offences).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    for name in POLLS.iter().chain(ALONE) {
        let statement = statements.iter().find(|statement| statement.name == *name);
        let is_listed_in_vain = statement.is_none_or(|statement| {
            let other = Statement::new("another", &statement.text);
            offences(&other).is_empty()
        });
        assert!(!is_listed_in_vain, "{name} needs no leave");
    }
}

#[test]
fn a_statement_that_citus_refuses_is_seen() {
    for text in [
        "SELECT name FROM release LIMIT 10",
        "SELECT name FROM release WHERE project_id = $1 FOR UPDATE",
        "SELECT name FROM release WHERE project_id > $1 LIMIT 10",
        "SELECT name FROM release WHERE project_id = $1 OR name = $2 LIMIT 1",
        "SELECT id FROM run JOIN release ON release.name = run.release WHERE run.project_id = $1 LIMIT 1",
        "SELECT id FROM project WHERE id IN (SELECT project_id FROM journal LIMIT 10)",
        "DELETE FROM run WHERE project_id = $1 AND id IN (SELECT id FROM run WHERE project_id = $2 LIMIT 1)",
        "UPDATE run SET received_us = now() WHERE project_id = $1",
        "UPDATE run SET project_id = $2 WHERE project_id = $1",
        "INSERT INTO run (id) VALUES ($1)",
        "INSERT INTO run (project_id, id) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
        "INSERT INTO run (project_id, id) VALUES ($1, $2) ON CONFLICT (project_id, id) DO UPDATE SET project_id = $1",
    ] {
        assert!(
            !offences(&Statement::new("made_up", text)).is_empty(),
            "{text}"
        );
    }
    let allowed = "SELECT slug FROM project WHERE id = $1";
    assert_eq!(
        offences(&Statement::new("made_up", allowed)),
        Vec::<String>::new()
    );
}

/// Keys and indexes that could not be spread.
fn unspreadable(table: &Table) -> Vec<String> {
    let leads = |index: &&super::schema::Index| index.columns[0] == "project_id";
    let mut offences: Vec<String> = table
        .indexes
        .iter()
        // What is due is looked for in all projects.
        .filter(|index| !leads(index) && index.name != "delivery_due")
        .map(|index| {
            format!(
                "{}: {} does not begin with project_id",
                table.name, index.name
            )
        })
        .collect();
    if !table.indexes.iter().any(|index| index.is_primary) {
        offences.push(format!("{} has no primary key", table.name));
    }
    offences
}

#[tokio::test]
async fn the_schema_can_be_spread_by_project_and_distribute_sql_names_all_of_it() {
    let (_sqlite, postgres, tables) = migrated().await;
    let spread = tables
        .iter()
        .filter(|table| is_distributed(&table.name.as_str()));
    let found: Vec<String> = spread.clone().flat_map(unspreadable).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));

    let mut connection = PgConnection::connect(&postgres.url).await.unwrap();
    for (what, count) in [
        ("triggers", "SELECT count(*) FROM pg_trigger"),
        (
            "sequences, serials and identities",
            "SELECT count(*) FROM pg_sequence",
        ),
        (
            "foreign keys",
            "SELECT count(*) FROM pg_constraint WHERE contype = 'f'",
        ),
        (
            "defaults that are computed",
            "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public' \
             AND table_name NOT LIKE '\\_sqlx%' AND column_default LIKE '%(%'",
        ),
    ] {
        let (found,): (i64,) = sqlx::query_as(count)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(found, 0, "{what}");
    }

    connection.execute(STAND_IN).await.unwrap();
    let distribute = include_str!("../../../migrations/postgres/distribute.sql");
    connection.execute(distribute).await.unwrap();
    let calls = "SELECT name, kind, colocated FROM called ORDER BY name";
    let called: Vec<(String, String, String)> = sqlx::query_as(calls)
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let expected: Vec<(String, String, String)> = tables
        .iter()
        .map(|table| {
            let (kind, with) = match table.name.as_str() {
                name if REFERENCE.contains(&name) => ("reference", ""),
                "journal" => ("project_id", "none"),
                _ => ("project_id", "journal"),
            };
            (table.name.clone(), kind.to_owned(), with.to_owned())
        })
        .collect();
    assert_eq!(
        called, expected,
        "distribute.sql (left), the schema (right)"
    );

    // A second run finds everything done.
    connection.execute(distribute).await.unwrap();
    let again: Vec<(String, String, String)> = sqlx::query_as(calls)
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(again, called);
}

/// Citus' functions as far as `distribute.sql` uses them, with its parameters, keeping a record of their calls.
const STAND_IN: &str = "
    CREATE TABLE pg_dist_partition (logicalrelid regclass);
    CREATE TABLE called (name text, kind text, colocated text);
    CREATE FUNCTION create_reference_table(table_name regclass) RETURNS void LANGUAGE sql AS $$
        INSERT INTO pg_dist_partition VALUES (table_name);
        INSERT INTO called VALUES (table_name::text, 'reference', '');
    $$;
    CREATE FUNCTION create_distributed_table(table_name regclass, distribution_column text,
        distribution_type text DEFAULT 'hash', colocate_with text DEFAULT 'default', shard_count int DEFAULT NULL)
        RETURNS void LANGUAGE sql AS $$
        INSERT INTO pg_dist_partition VALUES (table_name);
        INSERT INTO called VALUES (table_name::text, distribution_column, colocate_with);
    $$;
";
