//! A database's rows as lines of JSON that fit both engines: a table's name, then a value by column. Integers are numbers
//! and text is text; bytes and real numbers say what they are.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Map, Value, json};
use sqlx::migrate::Migrator;
use sqlx::{Column, Connection, Row, TypeInfo, ValueRef};

use super::super::folder;
use crate::ground::Database;

/// What the migrator writes itself.
const BOOKKEEPING: &str = "_sqlx_migrations";

/// Tables that were left for what earlier versions wrote.
const LEFT: [&str; 1] = ["pending"];

/// All rows of a SQLite database.
pub(super) async fn dump(database: &Database) -> String {
    let mut connection = sqlx::SqliteConnection::connect(&database.url)
        .await
        .unwrap();
    let tables: Vec<(String,)> = sqlx::query_as(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let mut text = String::new();
    let told = |table: &&str| *table != BOOKKEEPING && !LEFT.contains(table);
    for table in tables.iter().map(|(table,)| table.as_str()).filter(told) {
        let all = format!("SELECT * FROM \"{table}\"");
        let rows = sqlx::query(sqlx::AssertSqlSafe(all))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        assert!(!rows.is_empty(), "{table}: nothing to bring up to date");
        for row in rows {
            let values: Map<String, Value> = row
                .columns()
                .iter()
                .map(|column| (column.name().to_owned(), value(&row, column.ordinal())))
                .filter(|(_, value)| !value.is_null())
                .collect();
            writeln!(text, "{}", json!([table, values])).unwrap();
        }
    }
    text
}

fn value(row: &sqlx::sqlite::SqliteRow, at: usize) -> Value {
    let raw = row.try_get_raw(at).unwrap();
    if raw.is_null() {
        return Value::Null;
    }
    match raw.type_info().name() {
        "INTEGER" => json!(row.get::<i64, _>(at)),
        "REAL" => json!({"real": format!("{:?}", row.get::<f64, _>(at))}),
        "BLOB" => {
            let bytes: Vec<u8> = row.get(at);
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({"bytes": hex})
        }
        _ => json!(row.get::<String, _>(at)),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect()
}

/// Binds a row's values in order to one driver's query.
macro_rules! bind {
    ($query:expr, $values:expr) => {{
        let mut query = $query;
        for value in $values {
            query = match value {
                Value::Number(number) => query.bind(number.as_i64().unwrap()),
                Value::String(text) => query.bind(text.clone()),
                other => match (other["bytes"].as_str(), other["real"].as_str()) {
                    (Some(hex), _) => query.bind(bytes(hex)),
                    (_, Some(real)) => query.bind(real.parse::<f64>().unwrap()),
                    _ => panic!("{other}"),
                },
            };
        }
        query
    }};
}

/// Makes a fresh database one of this version, with the rows in `golden`.
pub(super) async fn load(database: &Database, version: i64, golden: &Path) {
    let all = Migrator::new(folder(database.engine)).await.unwrap();
    let mut migrations = all.migrations.to_vec();
    migrations.retain(|migration| migration.version <= version);
    let migrator = Migrator::with_migrations(migrations);
    let text = std::fs::read_to_string(golden.join("rows.ndjson")).unwrap();
    let rows = text.lines().map(|line| {
        let (table, values): (String, Map<String, Value>) = serde_json::from_str(line).unwrap();
        let columns: Vec<String> = values.keys().cloned().collect();
        let places: Vec<String> = (1..=columns.len())
            .map(|place| format!("${place}"))
            .collect();
        let sql = format!(
            "INSERT INTO {table} ({}) VALUES ({})",
            columns.join(", "),
            places.join(", ")
        );
        (
            sql,
            values
                .into_iter()
                .map(|(_, value)| value)
                .collect::<Vec<Value>>(),
        )
    });
    if database.engine == "SQLite" {
        let url = format!("{}?mode=rwc", database.url);
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        migrator.run(&mut connection).await.unwrap();
        for (sql, values) in rows {
            let query = bind!(sqlx::query(sqlx::AssertSqlSafe(sql)), &values);
            query.execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    } else {
        let mut connection = sqlx::PgConnection::connect(&database.url).await.unwrap();
        migrator.run(&mut connection).await.unwrap();
        for (sql, values) in rows {
            let query = bind!(sqlx::query(sqlx::AssertSqlSafe(sql)), &values);
            query.execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    }
}
