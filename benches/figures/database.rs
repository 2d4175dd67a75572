//! The two engines, and fresh databases of each.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::process::{cpu_s, free_address};

/// An engine to measure on.
#[derive(Debug)]
pub(crate) enum Engine {
    /// A file.
    Sqlite,
    /// A server, by the address of a database on it; a cluster of our own lives as long as this.
    Postgres(
        String,
        #[expect(dead_code, reason = "dropped with the engine")] Option<Cluster>,
    ),
}

impl Engine {
    /// Its name, as in the table.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Engine::Sqlite => "SQLite",
            Engine::Postgres(..) => "PostgreSQL",
        }
    }

    /// The server that `LONGWATCH_TEST_POSTGRES` names, else a cluster of its own with PostgreSQL's default settings.
    pub(crate) fn postgres() -> io::Result<Engine> {
        if let Ok(url) = std::env::var("LONGWATCH_TEST_POSTGRES") {
            return Ok(Engine::Postgres(url, None));
        }
        let (url, cluster) = Cluster::start()?;
        Ok(Engine::Postgres(url, Some(cluster)))
    }

    /// A fresh database.
    pub(crate) fn database(&self) -> Database {
        let home = TempDir::new().expect("a directory");
        let url = match self {
            Engine::Sqlite => format!("sqlite:{}", home.path().join("bench.db").display()),
            Engine::Postgres(server, _) => {
                let name = format!("bench_{}", uuid::Uuid::now_v7().simple());
                on_postgres(server, &format!("CREATE DATABASE {name}"));
                let (base, _) = server.rsplit_once('/').expect("an address with a database");
                format!("{base}/{name}")
            }
        };
        Database { url, home }
    }
}

/// A database with a directory for whoever works on it; both go when dropped.
pub(crate) struct Database {
    /// As the service takes it.
    pub(crate) url: String,
    home: TempDir,
}

impl Database {
    /// A directory of its own.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    fn is_file(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    /// One number that the database answers.
    #[tokio::main(flavor = "current_thread")]
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        let number = if self.is_file() {
            let mut one = SqliteConnection::connect(&self.url).await.expect("a file");
            sqlx::query_scalar(sql).fetch_one(&mut one).await
        } else {
            let mut one = PgConnection::connect(&self.url).await.expect("a server");
            sqlx::query_scalar(sql).fetch_one(&mut one).await
        };
        number.expect("a number")
    }

    /// Bytes of tables and indexes; in a file what was deleted leaves pages free for what comes next.
    pub(crate) fn used_bytes(&self) -> f64 {
        if self.is_file() {
            let pages = self.number("PRAGMA page_count") - self.number("PRAGMA freelist_count");
            return (pages * self.number("PRAGMA page_size")) as f64;
        }
        on_postgres(&self.url, "VACUUM (FULL, ANALYZE)");
        let size =
            "SELECT CAST(SUM(pg_total_relation_size(relid)) AS BIGINT) FROM pg_stat_user_tables";
        self.number(size) as f64
    }

    /// What the table of windows and its indexes take, after a full vacuum where there is one.
    pub(crate) fn windows_bytes(&self) -> f64 {
        if self.is_file() {
            let pages = "SELECT SUM(pgsize) FROM dbstat WHERE name IN \
                 (SELECT name FROM sqlite_schema WHERE tbl_name = 'series_window')";
            return self.number(pages) as f64;
        }
        self.number("SELECT pg_total_relation_size('series_window')") as f64
    }

    /// Processor time so far of the database server's processes that work for the service, seconds; zero for a file,
    /// whose work is the service's own, and for a server on another machine.
    pub(crate) fn backends_cpu_s(&self) -> f64 {
        if self.is_file() {
            return 0.0;
        }
        backends(&self.url).into_iter().filter_map(cpu_s).sum()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !self.is_file()
            && let Some((_, name)) = self.url.rsplit_once('/')
        {
            let server = self.url.replace(name, "postgres");
            on_postgres(&server, &format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn on_postgres(url: &str, sql: &str) {
    let mut one = PgConnection::connect(url).await.expect("a server");
    let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut one);
    done.await.expect("a statement");
}

#[tokio::main(flavor = "current_thread")]
async fn backends(url: &str) -> Vec<u32> {
    let mut one = PgConnection::connect(url).await.expect("a server");
    let pids: Vec<i32> = sqlx::query_scalar(
        "SELECT pid FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name = 'longwatch'",
    )
    .fetch_all(&mut one)
    .await
    .expect("processes");
    pids.into_iter()
        .filter_map(|pid| pid.try_into().ok())
        .collect()
}

/// A PostgreSQL cluster in a temporary directory; stopped when dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    programs: PathBuf,
    home: TempDir,
}

impl Cluster {
    fn start() -> io::Result<(String, Cluster)> {
        let home = TempDir::new()?;
        let cluster = Cluster {
            programs: programs().ok_or_else(|| io::Error::other("initdb is not installed"))?,
            home,
        };
        let folder = cluster.folder();
        std::fs::create_dir(&folder)?;
        // PostgreSQL refuses to run as root, and its user must reach the directory.
        let reach = format!(
            "chmod 755 {0} && chown postgres {1} 2>/dev/null || true",
            cluster.home.path().display(),
            folder.display()
        );
        Command::new("sh").args(["-c", &reach]).status()?;
        let port = free_address()?.port();
        let settings = format!(
            "-p {port} -k {} -c listen_addresses=127.0.0.1",
            folder.display()
        );
        cluster.run(
            "initdb",
            &[
                "--username=longwatch",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
            ],
        )?;
        cluster.run(
            "pg_ctl",
            &["-w", "-t", "60", "-l", "log", "-o", &settings, "start"],
        )?;
        Ok((
            format!("postgres://longwatch@127.0.0.1:{port}/postgres"),
            cluster,
        ))
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join("cluster")
    }

    fn run(&self, program: &str, arguments: &[&str]) -> io::Result<()> {
        let folder = self.folder();
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| {
            use std::os::unix::fs::MetadataExt;
            own.uid() == 0
        });
        let program = self.programs.join(program);
        let mut command = if is_root {
            let mut command = Command::new("setpriv");
            command.args([
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
                "--",
            ]);
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        let status = command
            .arg("-D")
            .arg(&folder)
            .args(arguments)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        if !status.success() {
            return Err(io::Error::other(format!("{command:?} ended with {status}")));
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.run("pg_ctl", &["-m", "immediate", "-w", "stop"]);
    }
}

/// Where PostgreSQL's newest programs are: where Debian keeps them, else on the path.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut debian: Vec<(u32, PathBuf)> = versions
        .flatten()
        .filter_map(|version| {
            Some((
                version.file_name().to_str()?.parse().ok()?,
                version.path().join("bin"),
            ))
        })
        .collect();
    debian.sort();
    let mut all = debian.into_iter().rev().map(|(_, folder)| folder);
    all.find(|folder| folder.join("initdb").exists())
        .or_else(|| {
            let path = std::env::var_os("PATH")?;
            std::env::split_paths(&path).find(|folder| folder.join("initdb").exists())
        })
}
