//! Behind a pooler: direct connections and pooling by session serve, and every row is its asker's; pooling by
//! transaction is refused.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode, Url};
use serde_json::{Value, json};

use crate::ground::{Database, of_engine};
use crate::process::{Process, run, token};

/// Clients at once, each with a project of its own, and how often each of them writes and reads.
const CLIENTS: usize = 8;
const ROUNDS: usize = 25;

/// A PgBouncer before the test's server; ended when dropped.
struct Pooler {
    child: Child,
    /// The address of the database behind it.
    url: String,
}

impl Pooler {
    /// Starts one before a database, with lines of its configuration.
    fn before(database: &Database, lines: &str) -> Pooler {
        let server = Url::parse(&database.url).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let configuration = format!(
            "[databases]\n* = host={} port={} user={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\n{lines}\n",
            server.host_str().unwrap(),
            server.port().unwrap_or(5432),
            server.username(),
        );
        let file = database
            .directory
            .path()
            .join(format!("pgbouncer-{port}.ini"));
        std::fs::write(&file, configuration).unwrap();
        let mut command = program();
        // It refuses to run as root.
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            command.args(["-u", "nobody"]);
        }
        let child = command
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(10), "no pooler");
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut url = server;
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(port)).unwrap();
        Pooler {
            child,
            url: url.into(),
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// PgBouncer, by the name that `tests/run` found.
fn program() -> Command {
    Command::new(std::env::var("LONGWATCH_TEST_PGBOUNCER").unwrap_or_else(|_| "pgbouncer".into()))
}

/// Whether this PgBouncer can keep its clients' prepared statements apart: those from 1.21 on can.
fn can_keep_statements_apart() -> bool {
    let output = program().arg("--version").output();
    let output = output.expect("PgBouncer is missing: run the tests with tests/run");
    let text = String::from_utf8(output.stdout).unwrap();
    let version = text.split_whitespace().nth(1).unwrap();
    let numbers: Vec<u32> = version.split('.').map_while(|n| n.parse().ok()).collect();
    (numbers[0], numbers[1]) >= (1, 21)
}

/// Clients that write and read at once find their own rows, all of them, and nobody else's.
async fn serves_everyone_their_own(database: &Database, address: &str, arguments: &[&str]) {
    let home = database.directory.path();
    let tokens: Vec<String> = (0..CLIENTS)
        .map(|client| token(home, &database.url, &format!("project-{client}"), "ci"))
        .collect();
    let server = Process::serve(home, address, arguments);
    let clients = tokens.into_iter().enumerate().map(|(client, token)| {
        let project = format!("{}/api/v1/projects/project-{client}", server.url);
        tokio::spawn(write_and_read(project, token, client))
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}

async fn write_and_read(project: String, token: String, client: usize) {
    let http = Client::new();
    let flow = format!("flow-{client}");
    let read = async |path: String| -> Value {
        let request = http.get(format!("{project}/{path}")).bearer_auth(&token);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.json().await.unwrap()
    };
    for round in 0..ROUNDS {
        let count = 1 + (client + round) % 5;
        let body = json!({"source": "load", "release": format!("v{round}"), "measurements": [
            {"flow": flow, "metric": "latency", "unit": "ms", "basis": "op", "values": vec![client + 1; count]}]});
        let request = http.post(format!("{project}/samples")).bearer_auth(&token);
        let answer = request.json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let list = read("series".into()).await;
        let items = list["items"].as_array().unwrap();
        assert_eq!(items.len(), 1, "{list}");
        assert_eq!(items[0]["flow"], flow, "{list}");
        let id = items[0]["id"].as_str().unwrap();
        let histogram = read(format!("series/{id}/histogram?release=v{round}")).await;
        assert_eq!(histogram["count"], count, "{flow}: {histogram}");
    }
}

/// What a command says that does not begin.
fn refusal(database: &Database, arguments: &[&str]) -> String {
    let output = run(database.directory.path(), arguments);
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn refusal_to_serve(database: &Database, address: &str, arguments: &[&str]) -> String {
    let serve = ["serve", "--listen", "127.0.0.1:0", "--database", address];
    refusal(database, &[&serve, arguments].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_pooler_every_row_is_its_askers() {
    let database = of_engine("PostgreSQL").await;
    serves_everyone_their_own(&database, &database.url, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_pooler_by_session_every_row_is_its_askers() {
    let database = of_engine("PostgreSQL").await;
    let pooler = Pooler::before(&database, "pool_mode = session\ndefault_pool_size = 30");
    serves_everyone_their_own(&database, &pooler.url, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_by_transaction_is_refused_however_it_picks_connections() {
    let database = of_engine("PostgreSQL").await;
    for round_robin in [0, 1] {
        let pooler = Pooler::before(
            &database,
            &format!(
                "pool_mode = transaction\ndefault_pool_size = 4\nserver_round_robin = {round_robin}"
            ),
        );
        let said = refusal_to_serve(&database, &pooler.url, &[]);
        assert!(said.contains("pool by session"), "{said}");
        assert!(said.contains("--transaction-pooler"), "{said}");
        let create = ["token", "create", "--project", "shop", "--scope", "read"];
        let said = refusal(
            &database,
            &[&create[..], &["--database", &pooler.url]].concat(),
        );
        assert!(said.contains("connect directly"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_by_transaction_serves_only_where_it_keeps_statements_apart() {
    let database = of_engine("PostgreSQL").await;
    let home = database.directory.path();
    assert!(
        run(home, &["migrate", "--database", &database.url])
            .status
            .success()
    );
    let by_transaction = "pool_mode = transaction\ndefault_pool_size = 4";
    let can = can_keep_statements_apart();
    let lines = if can {
        format!("{by_transaction}\nmax_prepared_statements = 0")
    } else {
        by_transaction.to_owned()
    };
    let pooler = Pooler::before(&database, &lines);
    let said = refusal_to_serve(&database, &pooler.url, &["--transaction-pooler"]);
    assert!(said.contains("mixes up prepared statements"), "{said}");
    if can {
        let lines = format!("{by_transaction}\nmax_prepared_statements = 200");
        let pooler = Pooler::before(&database, &lines);
        serves_everyone_their_own(&database, &pooler.url, &["--transaction-pooler"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_transaction_pooler_the_schema_is_brought_up_to_date_past_it() {
    let database = of_engine("PostgreSQL").await;
    let said = refusal_to_serve(&database, &database.url, &["--transaction-pooler"]);
    assert!(said.contains("version is 0"), "{said}");
    assert!(said.contains("longwatch migrate"), "{said}");
    // No pooler is one that keeps statements apart.
    serves_everyone_their_own(&database, &database.url, &["--transaction-pooler"]).await;
}
