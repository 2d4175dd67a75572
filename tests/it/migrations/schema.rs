//! Both engines' schemas as the engines themselves describe them.

use std::collections::{BTreeMap, BTreeSet};

use longwatch::store::Store;
use sqlx::Connection;

use super::{all_migrations, migrations};
use crate::ground::{Database, databases};

/// What must agree of a table.
#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    /// By name: the type in the words of `migrations/README.md`, and whether it may be null.
    columns: BTreeMap<String, (&'static str, bool)>,
    primary_key: Vec<String>,
    unique: BTreeSet<Vec<String>>,
    /// By name: the columns, and whether only some rows are in it.
    indexes: BTreeMap<String, (Vec<String>, bool)>,
}

type Schema = BTreeMap<String, Table>;

/// The four kinds that both engines have.
fn kind(engine_type: &str) -> &'static str {
    match engine_type {
        "BLOB" | "bytea" => "bytes",
        "INTEGER" | "bigint" => "integer",
        "REAL" | "double precision" => "real",
        "TEXT" | "text" => "text",
        other => panic!("{other} is no type that both engines have; see migrations/README.md"),
    }
}

async fn of_sqlite(database: &Database) -> Schema {
    let mut connection = sqlx::SqliteConnection::connect(&database.url)
        .await
        .unwrap();
    let columns: Vec<(String, String, String, i64, i64)> = sqlx::query_as(
        "SELECT t.name, c.name, c.type, c.\"notnull\", c.pk FROM pragma_table_list t, pragma_table_info(t.name) c \
         WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%' AND t.name <> '_sqlx_migrations' ORDER BY t.name, c.pk",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let indexed: Vec<(String, String, String, i64, String)> = sqlx::query_as(
        "SELECT t.name, i.name, i.origin, i.partial, c.name FROM pragma_table_list t, pragma_index_list(t.name) i, \
         pragma_index_info(i.name) c WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%' \
         AND t.name <> '_sqlx_migrations' ORDER BY t.name, i.name, c.seqno",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let mut schema = Schema::new();
    for (table, column, type_name, not_null, key) in columns {
        let table = schema.entry(table).or_default();
        if key > 0 {
            table.primary_key.push(column.clone());
        }
        table
            .columns
            .insert(column, (kind(&type_name), not_null == 0));
    }
    let mut indexes: BTreeMap<(String, String), (String, i64, Vec<String>)> = BTreeMap::new();
    for (table, index, origin, partial, column) in indexed {
        let index = indexes
            .entry((table, index))
            .or_insert((origin, partial, Vec::new()));
        index.2.push(column);
    }
    for ((table, index), (origin, partial, columns)) in indexes {
        let table = schema.get_mut(&table).unwrap();
        match origin.as_str() {
            "pk" => assert_eq!(table.primary_key, columns),
            "u" => drop(table.unique.insert(columns)),
            _ => drop(table.indexes.insert(index, (columns, partial == 1))),
        }
    }
    schema
}

async fn of_postgres(database: &Database) -> Schema {
    let mut connection = sqlx::PgConnection::connect(&database.url).await.unwrap();
    let columns: Vec<(String, String, String, bool)> = sqlx::query_as(
        "SELECT t.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull \
         FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped \
         WHERE t.relnamespace = 'public'::regnamespace AND t.relkind = 'r' AND t.relname <> '_sqlx_migrations'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let indexed: Vec<(String, String, bool, bool, bool, String)> = sqlx::query_as(
        "SELECT t.relname::text, i.relname::text, x.indisprimary, x.indisunique, x.indpred IS NOT NULL, a.attname::text \
         FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid \
         CROSS JOIN LATERAL unnest(x.indkey) WITH ORDINALITY AS k(number, place) \
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number \
         WHERE t.relnamespace = 'public'::regnamespace AND t.relname <> '_sqlx_migrations' \
         ORDER BY t.relname, i.relname, k.place",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let mut schema = Schema::new();
    for (table, column, type_name, not_null) in columns {
        let table = schema.entry(table).or_default();
        table.columns.insert(column, (kind(&type_name), !not_null));
    }
    let mut indexes: BTreeMap<(String, String), ([bool; 3], Vec<String>)> = BTreeMap::new();
    for (table, index, primary, unique, partial, column) in indexed {
        let index = indexes
            .entry((table, index))
            .or_insert(([primary, unique, partial], Vec::new()));
        index.1.push(column);
    }
    for ((table, index), (kind, columns)) in indexes {
        let table = schema.get_mut(&table).unwrap();
        match kind {
            [true, ..] => table.primary_key = columns,
            [_, true, false] => drop(table.unique.insert(columns)),
            [_, _, partial] => drop(table.indexes.insert(index, (columns, partial))),
        }
    }
    schema
}

#[tokio::test]
async fn both_engines_have_the_same_tables_columns_keys_and_indexes() {
    let mut schemas = Vec::new();
    for database in databases().await {
        Store::open(&database.url).await.unwrap().close().await;
        assert_eq!(
            migrations(&database).await,
            all_migrations(database.engine),
            "{}: the folder and src/store/db.rs differ",
            database.engine
        );
        schemas.push(match database.engine {
            "SQLite" => of_sqlite(&database).await,
            _ => of_postgres(&database).await,
        });
    }
    let [sqlite, postgres] = &schemas[..] else {
        panic!("two engines");
    };
    assert!(
        sqlite["finding"]
            .unique
            .contains(&vec!["project_id".to_owned(), "identity".to_owned()])
    );
    assert!(!sqlite["release"].columns["name"].1 && sqlite["release"].columns["note"].1);
    let tables = |schema: &Schema| schema.keys().cloned().collect::<Vec<String>>();
    assert_eq!(tables(sqlite), tables(postgres));
    for (name, table) in sqlite {
        assert_eq!(table, &postgres[name], "table {name}");
        assert!(!table.primary_key.is_empty(), "table {name} has no key");
    }
}
