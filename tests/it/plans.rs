//! How the engines run every statement of the store, against a database with a hundred thousand rows in each table that
//! grows: none may read such a table through, or answer without a bound.

mod citus;
mod explain;
mod schema;
mod source;
mod statement;

use std::collections::BTreeSet;

use longwatch::store::Store;
use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::ground::{Database, databases};
use explain::{Access, Plan};
use schema::Table;
use statement::{Condition, Query, Statement};

/// Tables that people fill by hand, or that hold a few rows a project. All others grow.
const SMALL: &[&str] = &[
    "account",
    "enrolment",
    "epoch",
    "lease",
    "project",
    "record_version",
];

/// A rule that a statement may break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Rows are found by an index, not by leaving others out.
    Found,
    /// A table, or a project's part of it, is not read through.
    Part,
    /// Rows to be changed are bounded in number.
    Bounded,
}
use Rule::{Bounded, Found, Part};

/// Statements with leave to break a rule, each with the reason why it does no harm.
const LEAVES: &[(&str, &[Rule], &str)] = &[
    (
        "journal::FORGET_DROPPED",
        &[Bounded],
        "the few counts of a day, once an hour",
    ),
    (
        "windows::rows::MARK_ALL",
        &[Bounded, Part],
        "everything is judged again: the series of a project, which have a limit",
    ),
    (
        "outbox::DUE",
        &[Found],
        "what it passes over are deliveries that living notifiers have claimed, a few each",
    ),
    (
        "leases::END_CLAIMS",
        &[Bounded, Part],
        "once, when a server starts that has its database alone; the index holds only what is not sent",
    ),
    (
        "deletions::BATCHES_OF_RUN",
        &[Found],
        "passes over the uploads of one run that stored nothing",
    ),
    (
        "deletions::DROP_BATCH_KEY",
        &[Bounded],
        "the key of one upload",
    ),
    (
        "deletions::DROP_KEYS_OF_RUN",
        &[Bounded],
        "the keys of one run's uploads, which go with their run or stay with it",
    ),
    (
        "deletions::DROP_BATCHES_OF_RUN",
        &[Bounded],
        "the uploads of one run, which go with their run or stay with it",
    ),
    (
        "deletions::DROP_RUNS",
        &[Bounded],
        "the runs of one release, some hundred, which go with it or stay with it",
    ),
    (
        "deletions::DROP_KEYS_OF_RELEASE",
        &[Bounded],
        "the keys of the uploads of one release's runs, which go with it or stay with it",
    ),
    (
        "deletions::DROP_BATCHES_OF_RELEASE",
        &[Bounded],
        "the uploads of one release's runs, which go with it or stay with it",
    ),
    (
        "deletions::LIST_JOURNAL",
        &[Part],
        "all that is not folded yet, seconds' worth as a rule, has to be listed; ids alone, from the index",
    ),
    (
        "deletions::UNDONE",
        &[Found],
        "the index holds what is not done, and of that passes over projects removed minutes ago",
    ),
    (
        "deletions::arrivals::SHOW_AGAIN",
        &[Found],
        "a project has few hidden series",
    ),
    (
        "deletions::purge::EMPTIED",
        &[Bounded],
        "a project is deleted once",
    ),
    (
        "findings::DROP_DELIVERIES",
        &[Bounded],
        "a series has some dozens of findings in its life",
    ),
    (
        "findings::DROP_EVENTS",
        &[Bounded],
        "a series has some dozens of findings in its life",
    ),
    (
        "findings::DROP_FINDINGS",
        &[Bounded],
        "a series has some dozens of findings in its life",
    ),
    (
        "page_views::DUE_PROJECTS",
        &[Found],
        "a project has some five stretches of ten minutes open",
    ),
    (
        "page_views::REMOVE_BLOCKS",
        &[Bounded],
        "the blocks that the same transaction has just read and closed",
    ),
    (
        "page_views::FORGET",
        &[Bounded],
        "once an hour: what closed in an hour a day before, or what a pause left of one day",
    ),
    (
        "page_views::first_schema::TAKE",
        &[Bounded],
        "up to the row that the statement before it found 5000 rows on",
    ),
    (
        "series::LIST",
        &[Found],
        "passes over hidden series, few among a project's",
    ),
    (
        "series::IDS",
        &[Found],
        "passes over hidden series, few among a project's",
    ),
    (
        "series::FIELD_FLOWS",
        &[Found],
        "passes over hidden series, few among a project's",
    ),
    (
        "windows::rows::DROP_OF_SERIES",
        &[Found],
        "one series' keys: SQLite goes to kind and start, and compares the rest with the list",
    ),
    (
        "windows::rows::DROP_OF_RELEASE",
        &[Found],
        "goes through one series' keys, from the index alone; an index of releases would burden every fold",
    ),
    (
        "windows::shared::FORGET_BEFORE",
        &[Bounded],
        "small rows of one series, fewer than it has days",
    ),
];

/// What removes a deleted project takes so many of its rows a statement, whichever come first.
const PURGE: &str = "deletions::purge::";

/// Whether its conditions name the rows by a key: one, or as many as the statement lists values.
fn is_keyed(table: &Table, query: &Query, sought: Option<&BTreeSet<String>>) -> bool {
    let conditions = query.conditions();
    let named: BTreeSet<&str> = conditions
        .iter()
        .filter(|condition| condition.is_equality() || condition.is_list_of_values())
        .map(|condition| condition.column.as_str())
        .filter(|column| sought.is_none_or(|sought| sought.contains(*column)))
        .collect();
    let unique = table.indexes.iter().filter(|index| index.is_unique);
    unique
        .filter(|index| index.predicate.is_empty())
        .any(|index| {
            index
                .columns
                .iter()
                .all(|column| named.contains(column.as_str()))
        })
}

/// Statements that break a rule, on both engines.
const MADE_UP: &[(&str, Rule)] = &[
    ("SELECT id FROM run WHERE project_id = $1", Bounded),
    ("DELETE FROM journal WHERE project_id = $1", Bounded),
    (
        "UPDATE run SET branch = NULL WHERE project_id = $1 AND release = $2",
        Bounded,
    ),
    (
        "DELETE FROM run WHERE project_id = $1 AND release IN ($2, $3)",
        Bounded,
    ),
    ("SELECT id FROM journal ORDER BY received_us LIMIT 10", Part),
    (
        "SELECT CAST(COUNT(*) AS BIGINT) FROM run WHERE project_id = $1",
        Part,
    ),
    (
        "SELECT id FROM run WHERE project_id = $1 ORDER BY received_us LIMIT 10",
        Part,
    ),
    (
        "SELECT id FROM run WHERE project_id = $1 AND testbed = $2 LIMIT 10",
        Found,
    ),
];

/// A broken rule with what is wrong.
type Offence = (Rule, String);

/// What is wrong with a statement by its text alone: a result, or a change, without a bound; alternatives that no one
/// index answers.
fn without_bound(tables: &[Table], statement: &Statement) -> Vec<Offence> {
    let mut offences = Vec::new();
    for query in statement.queries() {
        let all_keyed = query.tables().iter().all(|name| {
            let table = tables.iter().find(|table| table.name == *name);
            table.is_some_and(|table| is_keyed(table, &query, None))
        });
        let is_small = query.tables().iter().all(|name| SMALL.contains(name));
        let takes_list = query.conditions().iter().any(Condition::is_bounded_list);
        let what = match query.verb() {
            "INSERT" => continue,
            _ if all_keyed || takes_list => None,
            "SELECT" if query.has("LIMIT") || query.is_total() => None,
            "SELECT" => Some("answers any number of rows: give it a LIMIT"),
            _ if is_small => None,
            _ => Some("changes any number of rows: take them by a list with a LIMIT"),
        };
        offences.extend(what.map(|what| (Bounded, what.to_owned())));
        if query.has("OR") {
            let what = "OR: no one index answers it, ask twice";
            offences.push((Found, what.to_owned()));
        }
    }
    offences
}

/// What is wrong with a plan: a table that grows is read through, or further than its answer needs.
fn reads_too_much(tables: &[Table], statement: &Statement, plan: &Plan) -> Vec<Offence> {
    let queries = statement.queries();
    let mut offences = Vec::new();
    if statement.name.starts_with(PURGE) {
        return offences;
    }
    for access in &plan.accesses {
        let is_of = |query: &&Query| query.tables().contains(&access.table.as_str());
        let asks = |query: &&Query| {
            let asked = query.conditions();
            let mut sought = access.sought.iter();
            sought.all(|column| asked.iter().any(|condition| condition.column == *column))
        };
        // Which one of several queries reads the table here can be told by what it seeks.
        // What a join seeks may be another table's column.
        let reading = queries
            .iter()
            .filter(is_of)
            .find(asks)
            .or_else(|| queries.iter().find(is_of));
        let table = tables.iter().find(|table| table.name == access.table);
        let (Some(query), Some(table)) = (reading, table) else {
            panic!("{}: {plan:?}", statement.name);
        };
        if !SMALL.contains(&table.name.as_str()) {
            let wrong = wrong_with(table, query, access, plan.sorts);
            offences.extend(wrong.map(|(rule, what)| (rule, format!("{what}\n{}", plan.text))));
        }
    }
    offences
}

fn wrong_with(table: &Table, query: &Query, access: &Access, sorts: bool) -> Option<Offence> {
    let name = &table.name;
    if access.sought.is_empty() {
        return Some((Part, format!("reads {name} through")));
    }
    if is_keyed(table, query, Some(&access.sought)) {
        return None;
    }
    let index = access.index.as_deref().and_then(|index| table.index(index));
    let implied = index.map_or(&[][..], |index| &index.predicate);
    let conditions = query.conditions().into_iter();
    let asked = || conditions.map(|condition| condition.column).collect();
    let sifted: Vec<String> = access
        .sifted
        .clone()
        .unwrap_or_else(asked)
        .into_iter()
        .filter(|column| table.has_column(column) && !access.sought.contains(column))
        .filter(|column| !implied.contains(column))
        .collect();
    if !sifted.is_empty() {
        return Some((Found, format!("sifts {name} by {}", sifted.join(", "))));
    }
    let is_project = access.sought.iter().eq(["project_id"]);
    (is_project && implied.is_empty() && (sorts || !query.has("LIMIT")))
        .then(|| (Part, format!("reads all that a project has in {name}")))
}

/// What remains of a statement's offences after the rules that it may break, and what it was allowed in vain.
fn judged(statement: &Statement, offences: Vec<Offence>) -> Vec<String> {
    let granted = LEAVES.iter().find(|(name, ..)| *name == statement.name);
    let granted = granted.map_or(&[][..], |(_, rules, _)| rules);
    let in_vain = granted
        .iter()
        .filter(|rule| offences.iter().all(|(broken, _)| broken != *rule))
        .map(|rule| format!("{}: may break {rule:?}, and does not", statement.name))
        .collect::<Vec<_>>();
    let offences = offences.into_iter();
    let remaining = offences
        .filter(|(rule, _)| !granted.contains(rule))
        .map(|(rule, what)| format!("{}: {rule:?}: {what}", statement.name));
    remaining.chain(in_vain).collect()
}

/// Fresh databases of both engines, migrated, with the schema that they have.
async fn migrated() -> (Database, Database, Vec<Table>) {
    let [sqlite, postgres] = <[Database; 2]>::try_from(databases().await).ok().unwrap();
    for database in [&sqlite, &postgres] {
        let store = Store::open(&database.url).await.unwrap();
        store.close().await;
    }
    let mut connection = SqliteConnection::connect(&sqlite.url).await.unwrap();
    let tables = schema::tables(&mut connection).await;
    (sqlite, postgres, tables)
}

#[tokio::test]
async fn both_engines_have_the_same_tables_columns_and_indexes() {
    let (_sqlite, postgres, tables) = migrated().await;
    let mut connection = PgConnection::connect(&postgres.url).await.unwrap();
    let on_postgres = schema::outline_of_postgres(&mut connection).await;
    let on_sqlite = schema::outline(&tables);
    let differ: Vec<&String> = on_sqlite.symmetric_difference(&on_postgres).collect();
    assert!(differ.is_empty(), "on one engine only: {differ:#?}");
}

/// Looks for waiting work where a project has more of it than one look takes in.
async fn polls_find_every_project(database: &Database, counted: (i64, i64)) {
    let store = Store::open(&database.url).await.unwrap();
    let folding = store.projects_to_fold().await.unwrap();
    let judging = store.projects_to_judge().await.unwrap();
    assert!(counted.0 > 30 && counted.1 > 1, "{counted:?}");
    let found = (folding.len() as i64, judging.len() as i64);
    assert_eq!(found, counted, "{}", database.engine);
    store.close().await;
}

/// Two databases that have grown.
struct Grown {
    sqlite: SqliteConnection,
    postgres: PgConnection,
    tables: Vec<Table>,
}

impl Grown {
    /// What is wrong with the plan of each engine.
    async fn wrong_with(&mut self, statement: &Statement) -> [Vec<Offence>; 2] {
        let tables = &self.tables;
        let plans = [
            explain::on_sqlite(&mut self.sqlite, tables, statement).await,
            explain::on_postgres(&mut self.postgres, tables, statement).await,
        ];
        plans.map(|plan| reads_too_much(tables, statement, &plan))
    }

    async fn sees(&mut self, text: &str, rule: Rule) {
        let statement = Statement::new("made_up", text);
        let of_text = without_bound(&self.tables, &statement);
        let [on_sqlite, on_postgres] = self.wrong_with(&statement).await;
        let seen = match rule {
            Bounded => vec![of_text],
            _ => vec![on_sqlite, on_postgres],
        };
        for offences in seen {
            let is_seen = offences.iter().any(|(broken, _)| *broken == rule);
            assert!(is_seen, "{text}: {offences:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_finds_its_rows_by_an_index_and_has_a_bound() {
    let (sqlite, postgres, tables) = migrated().await;
    let mut grown = Grown {
        sqlite: SqliteConnection::connect(&sqlite.url).await.unwrap(),
        postgres: PgConnection::connect(&postgres.url).await.unwrap(),
        tables,
    };
    tokio::join!(
        schema::fill_sqlite(&mut grown.sqlite, &grown.tables),
        schema::fill_postgres(&mut grown.postgres, &grown.tables),
    );
    for (text, rule) in MADE_UP {
        grown.sees(text, *rule).await;
    }
    let statements = source::statements();
    let mut offences = Vec::new();
    for statement in &statements {
        let mut found = without_bound(&grown.tables, statement);
        found.extend(grown.wrong_with(statement).await.into_iter().flatten());
        offences.extend(judged(statement, found));
    }
    let known = |name: &str| statements.iter().any(|statement| statement.name == name);
    let gone = LEAVES.iter().filter(|(name, ..)| !known(name));
    offences.extend(gone.map(|(name, ..)| format!("{name} is no statement any more")));
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));

    const WAITING: &str = "SELECT (SELECT COUNT(DISTINCT project_id) FROM journal), \
        (SELECT COUNT(DISTINCT project_id) FROM series_state WHERE changed > judged)";
    let counted = sqlx::query_as(WAITING).fetch_one(&mut grown.sqlite).await;
    polls_find_every_project(&sqlite, counted.unwrap()).await;
    let counted = sqlx::query_as(WAITING).fetch_one(&mut grown.postgres).await;
    polls_find_every_project(&postgres, counted.unwrap()).await;
}
