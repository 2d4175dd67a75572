//! How the two engines would run a statement, brought to one form.

use std::collections::BTreeSet;

use serde_json::Value;
use sqlx::{Executor, PgConnection, Row, SqliteConnection};

use super::schema::Table;
use super::statement::Statement;

/// One way into a table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) table: String,
    /// The index taken, if any.
    pub(super) index: Option<String>,
    /// The columns by whose values it goes to where the rows are.
    pub(super) sought: BTreeSet<String>,
    /// The columns by which it leaves out rows that it has read; SQLite does not tell.
    pub(super) sifted: Option<BTreeSet<String>>,
}

/// A statement's plan.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) accesses: Vec<Access>,
    /// Whether rows are put in order after they were read.
    pub(super) sorts: bool,
    /// As the engine says it.
    pub(super) text: String,
}

/// The plan of SQLite. It looks at no data where nobody ran ANALYZE, as nobody does on the service's files.
pub(super) async fn on_sqlite(
    connection: &mut SqliteConnection,
    tables: &[Table],
    statement: &Statement,
) -> Plan {
    let explain = format!("EXPLAIN QUERY PLAN {}", statement.text);
    let rows = connection.fetch_all(sqlx::AssertSqlSafe(explain)).await;
    let rows = rows.unwrap_or_else(|error| panic!("SQLite: {}: {error}", statement.name));
    let lines: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
    Plan {
        accesses: lines
            .iter()
            .filter_map(|line| sqlite_access(tables, line))
            .collect(),
        sorts: lines
            .iter()
            .any(|line| line.starts_with("USE TEMP B-TREE FOR ORDER BY")),
        text: lines.join("\n"),
    }
}

/// Reads lines such as `SEARCH run USING INDEX run_by_release (project_id=? AND (release,id)>(?,?))`.
fn sqlite_access(tables: &[Table], line: &str) -> Option<Access> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let table = tables
        .iter()
        .find(|table| words.get(1) == Some(&table.name.as_str()))?;
    if !["SCAN", "SEARCH"].contains(&words[0]) {
        return None;
    }
    let condition = line.split_once('(').map_or("", |(_, condition)| condition);
    let parts = condition.split(" AND ");
    let left = parts.map(|part| part.split(['=', '<', '>']).next().unwrap_or_default());
    let columns = left.flat_map(|left| {
        left.trim_start_matches('(')
            .trim_end_matches(')')
            .split(',')
    });
    let index = words.iter().position(|word| *word == "INDEX");
    Some(Access {
        table: table.name.clone(),
        index: index.map(|at| words[at + 1].to_owned()),
        sought: columns
            .filter(|column| table.has_column(column))
            .map(str::to_owned)
            .collect(),
        sifted: None,
    })
}

/// The plan of PostgreSQL for a statement that is prepared once for all projects, as the pool's connections come to
/// have it.
pub(super) async fn on_postgres(
    connection: &mut PgConnection,
    tables: &[Table],
    statement: &Statement,
) -> Plan {
    let nothing = vec!["NULL"; statement.places()].join(", ");
    let values = if nothing.is_empty() {
        nothing
    } else {
        format!("({nothing})")
    };
    let failed = |error: sqlx::Error| panic!("PostgreSQL: {}: {error}", statement.name);
    let prepare = format!("PREPARE explained AS {}", statement.text);
    connection
        .execute(sqlx::AssertSqlSafe(prepare))
        .await
        .unwrap_or_else(failed);
    let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE explained {values}");
    let row = connection
        .fetch_one(sqlx::raw_sql(sqlx::AssertSqlSafe(explain)))
        .await;
    let row = row.unwrap_or_else(|error| panic!("PostgreSQL: {}: {error}", statement.name));
    let plan: Value = serde_json::from_str(&row.get_unchecked::<String, _>(0)).unwrap();
    connection.execute("DEALLOCATE explained").await.unwrap();
    let mut accesses = Vec::new();
    collect(tables, &plan[0]["Plan"], &mut accesses);
    let text = serde_json::to_string(&plan[0]["Plan"]).unwrap();
    Plan {
        accesses,
        sorts: text.contains("\"Node Type\":\"Sort\"")
            || text.contains("\"Node Type\":\"Incremental Sort\""),
        text,
    }
}

fn collect(tables: &[Table], node: &Value, accesses: &mut Vec<Access>) {
    let within = node["Plans"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let kind = node["Node Type"].as_str().unwrap_or_default();
    let table = tables
        .iter()
        .find(|table| node["Relation Name"] == table.name.as_str());
    let Some(table) = table.filter(|_| kind.ends_with("Scan")) else {
        for node in within {
            collect(tables, node, accesses);
        }
        return;
    };
    let columns = |text: &Value| -> BTreeSet<String> {
        let text = text.as_str().unwrap_or_default();
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        words
            .filter(|word| table.has_column(word))
            .map(str::to_owned)
            .collect()
    };
    // A bitmap's index stands in the node below, or several of them.
    let index = if kind == "Bitmap Heap Scan" {
        &within[0]
    } else {
        node
    };
    accesses.push(Access {
        table: table.name.clone(),
        index: index["Index Name"].as_str().map(str::to_owned),
        sought: columns(&index["Index Cond"]),
        sifted: Some(columns(&node["Filter"])),
    });
}
