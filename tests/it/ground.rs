//! The ground that tests stand on: a service over a fresh database, once on SQLite and once on PostgreSQL. Without a
//! PostgreSQL server tests fail, they do not skip: `tests/run` brings one.

use std::future::Future;
use std::net::SocketAddr;

use longwatch::clock::now_us;
use longwatch::http::Settings;
use longwatch::service::Service;
use longwatch::store::{Scope, Store};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use sqlx::Connection;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// The project of all tests.
pub(crate) const PROJECT: &str = "shop";

/// A fresh database of one engine.
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) engine: &'static str,
    pub(crate) directory: TempDir,
}

/// Fresh databases, one of each engine.
pub(crate) async fn databases() -> Vec<Database> {
    let sqlite = TempDir::new().unwrap();
    let url = format!("sqlite:{}", sqlite.path().join("test.db").display());
    vec![
        Database {
            url,
            engine: "SQLite",
            directory: sqlite,
        },
        Database {
            url: fresh_postgres().await,
            engine: "PostgreSQL",
            directory: TempDir::new().unwrap(),
        },
    ]
}

/// A fresh database of this engine.
pub(crate) async fn of_engine(engine: &str) -> Database {
    let mut both = databases().await.into_iter();
    both.find(|database| database.engine == engine).unwrap()
}

/// The PostgreSQL server that tests may make databases on.
pub(crate) fn postgres_server() -> String {
    std::env::var("LONGWATCH_TEST_POSTGRES")
        .expect("LONGWATCH_TEST_POSTGRES names no server: run the tests with tests/run")
}

async fn fresh_postgres() -> String {
    let server = postgres_server();
    let name = format!("t{}", uuid::Uuid::now_v7().simple());
    let mut connection = sqlx::PgConnection::connect(&server).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

/// A running service in this process.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) store: Store,
    pub(crate) client: Client,
    pub(crate) admin: String,
    end: Option<oneshot::Sender<()>>,
    served: Option<tokio::task::JoinHandle<()>>,
    pub(crate) engine: &'static str,
    directory: TempDir,
}

impl Server {
    /// Starts a service over a fresh database.
    pub(crate) async fn start(database: Database, settings: Settings) -> Server {
        let store = Store::open(&database.url).await.unwrap();
        let project = store
            .ensure_project(PROJECT, "test", now_us())
            .await
            .unwrap();
        let admin = store
            .create_token(&project, Scope::Admin, "test", None, "test", now_us())
            .await
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        let service = Service::start(
            store.clone(),
            Settings {
                public_url: url.clone(),
                ..settings
            },
        );
        let (end, ended) = oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            let ended = async {
                let _ = ended.await;
            };
            service.serve(listener, ended).await;
        });
        Server {
            url,
            store,
            client: Client::new(),
            admin: admin.text,
            end: Some(end),
            served: Some(served),
            engine: database.engine,
            directory: database.directory,
        }
    }

    /// Stops it in order.
    pub(crate) async fn stop(self) {
        self.stop_and_keep().await;
    }

    /// Stops it in order; a database in a file goes with the directory that is given back.
    pub(crate) async fn stop_and_keep(mut self) -> TempDir {
        drop(self.end.take());
        if let Some(served) = self.served.take() {
            served.await.unwrap();
        }
        self.directory
    }

    /// A token of some scope.
    pub(crate) async fn token(&self, scope: Scope) -> String {
        let project = self
            .store
            .project_for_administration(PROJECT)
            .await
            .unwrap();
        self.store
            .create_token(&project, scope, "test", None, "test", now_us())
            .await
            .unwrap()
            .text
    }

    /// A request to the project's API with the admin token.
    pub(crate) fn api(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, self.address(path))
            .bearer_auth(&self.admin)
    }

    /// The address of something in the project's API; of the project itself where the path is empty.
    pub(crate) fn address(&self, path: &str) -> String {
        let project = format!("{}/api/v1/projects/{PROJECT}", self.url);
        match path {
            "" => project,
            path => format!("{project}/{path}"),
        }
    }

    /// A document of the API.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.api(Method::GET, path).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{}: {path}: {text}", self.engine);
        serde_json::from_str(&text).unwrap()
    }

    /// Uploads a file's bytes; the status and the answer.
    pub(crate) async fn upload(
        &self,
        query: &str,
        body: impl Into<reqwest::Body>,
    ) -> (StatusCode, Value) {
        let answer = self
            .api(Method::POST, &format!("results?{query}"))
            .body(body)
            .send()
            .await
            .unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// Applies a `longwatch.toml`.
    pub(crate) async fn apply(&self, toml: &str) -> (StatusCode, Value) {
        let answer = self
            .api(Method::PUT, "config")
            .body(toml.to_owned())
            .send()
            .await
            .unwrap();
        (answer.status(), answer.json().await.unwrap())
    }
}

/// Runs a test on a service over each engine.
pub(crate) async fn each_backend<F>(test: impl Fn(Server) -> F)
where
    F: Future<Output = Server>,
{
    for database in databases().await {
        let server = Server::start(database, Settings::default()).await;
        test(server).await.stop().await;
    }
}

/// Waits until something holds, at most ten seconds.
pub(crate) async fn eventually<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    for _ in 0..200 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("not within ten seconds: {what}");
}
