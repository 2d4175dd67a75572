//! The schema as the migrations leave it, and rows for it by the hundred thousand.

use std::collections::BTreeSet;

use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

/// A table with what planning and distributing it depends on.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    columns: Vec<Column>,
    pub(super) indexes: Vec<Index>,
}

#[derive(Debug)]
struct Column {
    name: String,
    kind: String,
    is_required: bool,
}

/// A primary key, a unique constraint or an index.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    pub(super) is_unique: bool,
    pub(super) is_primary: bool,
    /// The columns that the condition of a partial index speaks of.
    pub(super) predicate: Vec<String>,
}

impl Table {
    pub(super) fn has_column(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }

    pub(super) fn index(&self, name: &str) -> Option<&Index> {
        self.indexes.iter().find(|index| index.name == name)
    }
}

/// All tables but the migrations' own. Read from SQLite: both engines have the same, which a test sees to.
pub(super) async fn tables(connection: &mut SqliteConnection) -> Vec<Table> {
    let names: Vec<(String,)> = sqlx::query_as(
        "SELECT name FROM sqlite_master WHERE type = 'table' \
         AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_sqlx%' ESCAPE '\\' ORDER BY name",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    let mut tables = Vec::new();
    for (name,) in names {
        let columns: Vec<(String, String, bool)> =
            sqlx::query_as("SELECT name, type, \"notnull\" FROM pragma_table_info($1)")
                .bind(&name)
                .fetch_all(&mut *connection)
                .await
                .unwrap();
        let columns = columns.into_iter().map(|(name, kind, is_required)| Column {
            name,
            kind,
            is_required,
        });
        let columns: Vec<Column> = columns.collect();
        let listed: Vec<(String, bool, String)> =
            sqlx::query_as("SELECT name, \"unique\", origin FROM pragma_index_list($1)")
                .bind(&name)
                .fetch_all(&mut *connection)
                .await
                .unwrap();
        let mut indexes = Vec::new();
        for (index, is_unique, origin) in listed {
            let keys: Vec<(String,)> =
                sqlx::query_as("SELECT name FROM pragma_index_info($1) ORDER BY seqno")
                    .bind(&index)
                    .fetch_all(&mut *connection)
                    .await
                    .unwrap();
            let text: Option<(Option<String>,)> =
                sqlx::query_as("SELECT sql FROM sqlite_master WHERE type = 'index' AND name = $1")
                    .bind(&index)
                    .fetch_optional(&mut *connection)
                    .await
                    .unwrap();
            let text = text.and_then(|(text,)| text).unwrap_or_default();
            let predicate = text
                .split_once(" WHERE ")
                .map_or("", |(_, predicate)| predicate);
            let words = predicate.split(|c: char| !c.is_alphanumeric() && c != '_');
            let words = words.filter(|word| columns.iter().any(|column| column.name == *word));
            indexes.push(Index {
                name: index,
                columns: keys.into_iter().map(|(key,)| key).collect(),
                is_unique,
                is_primary: origin == "pk",
                predicate: words.map(str::to_owned).collect(),
            });
        }
        tables.push(Table {
            name,
            columns,
            indexes,
        });
    }
    tables
}

/// The schema in lines: each column with its type and whether it is required, each key and index. The types are named
/// as on PostgreSQL.
pub(super) fn outline(tables: &[Table]) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for table in tables {
        for column in &table.columns {
            let kind = match column.kind.as_str() {
                "BLOB" => "bytea",
                "INTEGER" => "bigint",
                "REAL" => "double precision",
                _ => "text",
            };
            let line = format!(
                "{} {} {kind} {}",
                table.name, column.name, column.is_required
            );
            lines.insert(line);
        }
        for index in &table.indexes {
            lines.insert(format!(
                "{} ({}) {} {} {}",
                table.name,
                index.columns.join(", "),
                index.is_unique,
                index.is_primary,
                !index.predicate.is_empty()
            ));
        }
    }
    lines
}

/// The same lines of a PostgreSQL database.
pub(super) async fn outline_of_postgres(connection: &mut PgConnection) -> BTreeSet<String> {
    let lines: Vec<(String,)> = sqlx::query_as(
        "SELECT format('%s %s %s %s', table_name, column_name, data_type, \
             CASE is_nullable WHEN 'NO' THEN 'true' ELSE 'false' END) \
         FROM information_schema.columns \
         WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%' \
         UNION ALL \
         SELECT format('%s (%s) %s %s %s', indrelid::regclass, \
             (SELECT string_agg(attname, ', ' ORDER BY place) FROM unnest(indkey::int[]) WITH ORDINALITY AS k(key, place) \
              JOIN pg_attribute ON attrelid = indrelid AND attnum = key), \
             indisunique::text, indisprimary::text, (indpred IS NOT NULL)::text) \
         FROM pg_index JOIN pg_class ON pg_class.oid = indrelid \
         WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE '\\_sqlx%'",
    )
    .fetch_all(connection)
    .await
    .unwrap();
    lines.into_iter().map(|(line,)| line).collect()
}

/// Rows in each table that grows, and in the others.
const MANY: u32 = 60_000;
const FEW: u32 = 500;

/// How an engine writes the number `n` as bytes, and text beside it.
struct Dialect {
    bytes: fn(&str) -> String,
    text: fn(&str) -> String,
}

const SQLITE: Dialect = Dialect {
    bytes: |n| format!("CAST(printf('%016d', {n}) AS BLOB)"),
    text: |n| format!("printf('t%07d', {n})"),
};
const POSTGRES: Dialect = Dialect {
    bytes: |n| format!("convert_to(lpad(({n})::TEXT, 16, '0'), 'UTF8')"),
    text: |n| format!("'t' || lpad(({n})::TEXT, 7, '0')"),
};

/// Fifty projects; the first has a third of all rows, the second next to none.
const PROJECT: &str =
    "CASE WHEN i % 10 < 3 THEN 0 WHEN i % 50 = 9 AND i > 500 THEN 4 ELSE i % 50 END";

/// Columns that have few values for many rows: some hundred series, releases, findings.
const REPEATED: &[&str] = &["series_id", "release", "gate", "finding_id", "part"];

/// Whether only this column keeps a table's keys apart.
fn is_alone(table: &Table, column: &str) -> bool {
    let unique = table.indexes.iter().filter(|index| index.is_unique);
    unique.map(|index| &index.columns).any(|columns| {
        columns.iter().any(|name| name == column)
            && columns
                .iter()
                .all(|name| name == "project_id" || REPEATED.contains(&name.as_str()))
    })
}

/// The statement that fills a table: `i` counts its rows.
fn filling(table: &Table, rows: u32, dialect: &Dialect) -> String {
    let value = |column: &Column| {
        let number = match (table.name.as_str(), column.name.as_str()) {
            // A handful of tokens each.
            ("access_token", "project_id") => "i / 5",
            (_, "project_id") => PROJECT,
            ("series_window", "series_id") => "i % 3",
            (_, name) if REPEATED.contains(&name) && !is_alone(table, name) => "i % 300",
            (_, "kind") if column.kind == "INTEGER" => "i % 4 + 1",
            // All but one in a hundred are judged.
            (_, "judged") => "CASE WHEN i % 101 = 0 THEN 0 ELSE i END",
            // Whoever opens the store reads it.
            (_, "stratum") => return "'1000000'".to_owned(),
            (_, "source") => return "CASE WHEN i % 2 = 0 THEN 'rum' ELSE 'bench' END".to_owned(),
            _ => "i",
        };
        let written = match column.kind.as_str() {
            "BLOB" => (dialect.bytes)(number),
            "TEXT" => (dialect.text)(number),
            _ => number.to_owned(),
        };
        // Deliveries are sent and page views closed, mostly; few runs are excluded, few deliveries dead.
        match column.name.as_str() {
            _ if column.is_required => written,
            "excluded_us" | "excluded_reason" | "dead_us" => {
                format!("CASE WHEN i % 101 = 7 THEN {written} END")
            }
            _ => format!("CASE WHEN i % 101 <> 0 THEN {written} END"),
        }
    };
    let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
    let values: Vec<String> = table.columns.iter().map(value).collect();
    format!(
        "INSERT INTO {} ({}) WITH RECURSIVE counted(i) AS \
         (SELECT 0 UNION ALL SELECT i + 1 FROM counted WHERE i < {rows} - 1) SELECT {} FROM counted",
        table.name,
        names.join(", "),
        values.join(", ")
    )
}

fn rows(table: &Table) -> u32 {
    if super::SMALL.contains(&table.name.as_str()) {
        FEW
    } else {
        MANY
    }
}

pub(super) async fn fill_sqlite(connection: &mut SqliteConnection, tables: &[Table]) {
    connection
        .execute("PRAGMA synchronous = OFF")
        .await
        .unwrap();
    for table in tables {
        let statement = filling(table, rows(table), &SQLITE);
        let made = connection.execute(sqlx::AssertSqlSafe(statement)).await;
        made.unwrap_or_else(|error| panic!("{}: {error}", table.name));
    }
}

pub(super) async fn fill_postgres(connection: &mut PgConnection, tables: &[Table]) {
    let mut transaction = connection.begin().await.unwrap();
    for table in tables {
        let statement = filling(table, rows(table), &POSTGRES);
        let made = transaction.execute(sqlx::AssertSqlSafe(statement)).await;
        made.unwrap_or_else(|error| panic!("{}: {error}", table.name));
    }
    transaction.commit().await.unwrap();
    // As autovacuum does with a table that grew.
    connection.execute("VACUUM ANALYZE").await.unwrap();
    // The plan that all projects share, which a statement gets after it has run a few times.
    connection
        .execute("SET plan_cache_mode = force_generic_plan")
        .await
        .unwrap();
}
