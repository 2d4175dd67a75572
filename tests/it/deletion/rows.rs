//! The database itself, asked beside the service.

use std::collections::BTreeMap;

use longwatch::store::ProjectId;
use sqlx::{AssertSqlSafe, Connection};

use crate::ground::Database;

/// What would go unseen in a series is looked at seconds after the start, whoever else does what.
const AT_ANY_TIME: [&str; 2] = ["blind_spot", "blind_spot_us"];

/// A database's address and engine.
#[derive(Clone)]
pub(crate) struct Rows {
    url: String,
    sqlite: bool,
}

impl Rows {
    pub(crate) fn of(database: &Database) -> Rows {
        Rows {
            url: database.url.clone(),
            sqlite: database.engine == "SQLite",
        }
    }

    /// The first column of a query, as text.
    pub(crate) async fn texts(&self, sql: String) -> Vec<String> {
        let sql = AssertSqlSafe(sql);
        let rows: Vec<(String,)> = if self.sqlite {
            let mut connection = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
            sqlx::query_as(sql)
                .fetch_all(&mut connection)
                .await
                .unwrap()
        } else {
            let mut connection = sqlx::PgConnection::connect(&self.url).await.unwrap();
            let rows = sqlx::query_as(sql)
                .fetch_all(&mut connection)
                .await
                .unwrap();
            connection.close().await.unwrap();
            rows
        };
        rows.into_iter().map(|(text,)| text).collect()
    }

    async fn tables(&self) -> Vec<String> {
        let sql = if self.sqlite {
            "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND c.name = 'project_id' ORDER BY 1"
        } else {
            "SELECT CAST(table_name AS TEXT) FROM information_schema.columns \
             WHERE column_name = 'project_id' AND table_schema = 'public' ORDER BY 1"
        };
        self.texts(sql.to_owned()).await
    }

    fn literal(&self, project: &ProjectId) -> String {
        let id = project.id();
        if self.sqlite {
            format!("x'{id}'")
        } else {
            format!("decode('{id}', 'hex')")
        }
    }

    /// How many rows each table has of a project, for those that have any.
    pub(crate) async fn counts(&self, project: &ProjectId) -> BTreeMap<String, u64> {
        let id = self.literal(project);
        let mut counts = BTreeMap::new();
        for table in self.tables().await {
            let sql = format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table} WHERE project_id = {id}");
            let count = self.texts(sql).await[0].parse().unwrap();
            if count > 0 {
                counts.insert(table, count);
            }
        }
        counts
    }

    /// Everything that a project has, row by row, but for leases and when tokens were last used.
    pub(crate) async fn dump(&self, project: &ProjectId) -> BTreeMap<String, Vec<String>> {
        let id = self.literal(project);
        let mut dump = BTreeMap::new();
        for table in self.tables().await {
            if ["lease", "access_token"].contains(&table.as_str()) {
                continue;
            }
            let row = if self.sqlite {
                let sql = format!("SELECT name FROM pragma_table_info('{table}')");
                let columns = self.texts(sql).await;
                let kept = columns
                    .iter()
                    .filter(|column| !AT_ANY_TIME.contains(&column.as_str()));
                let quoted: Vec<String> = kept.map(|column| format!("quote({column})")).collect();
                quoted.join(" || ',' || ")
            } else {
                let [spot, looked] = AT_ANY_TIME;
                format!("CAST(to_jsonb({table}) - '{spot}' - '{looked}' AS TEXT)")
            };
            let sql = format!("SELECT {row} FROM {table} WHERE project_id = {id} ORDER BY 1");
            dump.insert(table, self.texts(sql).await);
        }
        dump
    }
}
