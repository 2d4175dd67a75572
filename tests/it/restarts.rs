//! Servers are restarted in order while clients go on writing: nothing is lost, doubled or refused.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, StatusCode};

use crate::ground::{databases, of_engine};
use crate::process::{Process, token, within};
use crate::writers::{counts, measurement};

const WRITERS: usize = 4;
/// A writer rests so long between two requests.
const PAUSE: Duration = Duration::from_millis(5);

/// Sends one measurement after the other, each to the next address that is given, until it is told to stop; every one
/// is acknowledged. Answers how many there were.
async fn keep_writing(
    token: String,
    writer: usize,
    until: Arc<AtomicBool>,
    address: impl Fn(usize) -> String,
    client: Client,
) -> usize {
    let mut number = 0;
    while !until.load(Ordering::Relaxed) {
        let request = measurement(&client, &address(number), &token, writer, number);
        let answer = request.send().await;
        let answer = answer.unwrap_or_else(|error| panic!("{writer}-{number}: {error:?}"));
        assert_eq!(answer.status(), StatusCode::OK, "{writer}-{number}");
        number += 1;
        tokio::time::sleep(PAUSE).await;
    }
    number
}

/// What a load balancer knows of an instance.
#[derive(Clone)]
struct Known {
    url: String,
    is_ready: bool,
}

/// Asks every instance whether it is ready, again and again.
async fn watch_readiness(instances: Arc<Mutex<Vec<Known>>>) {
    let client = Client::new();
    loop {
        let known = instances.lock().unwrap().clone();
        for (at, Known { url, .. }) in known.into_iter().enumerate() {
            let answer = client.get(format!("{url}/readyz")).send().await;
            let is_ready = answer.is_ok_and(|answer| answer.status() == StatusCode::OK);
            let mut instances = instances.lock().unwrap();
            if instances[at].url == url {
                instances[at].is_ready = is_ready;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_three_instances_loses_doubles_and_refuses_nothing() {
    let database = of_engine("PostgreSQL").await;
    let home = database.directory.path();
    let admin = token(home, &database.url, "shop", "admin");
    let serve = || Process::serve(home, &database.url, &["--grace", "1"]);
    let known = |server: &Process, is_ready| Known {
        url: server.url.clone(),
        is_ready,
    };
    let mut servers: Vec<Process> = (0..3).map(|_| serve()).collect();
    let instances: Vec<Known> = servers.iter().map(|server| known(server, true)).collect();
    let instances = Arc::new(Mutex::new(instances));
    let watch = tokio::spawn(watch_readiness(instances.clone()));
    let until = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let instances = instances.clone();
            let next = move |number: usize| {
                let instances = instances.lock().unwrap();
                let ready: Vec<&Known> = instances.iter().filter(|known| known.is_ready).collect();
                ready[number % ready.len()].url.clone()
            };
            let client = Client::new();
            tokio::spawn(keep_writing(
                admin.clone(),
                writer,
                until.clone(),
                next,
                client,
            ))
        })
        .collect();
    for at in 0..servers.len() {
        let old = servers.remove(at);
        old.ask_to_stop();
        old.stopped();
        let new = serve();
        instances.lock().unwrap()[at] = known(&new, false);
        servers.insert(at, new);
        within(Duration::from_secs(10), "ready again", async || {
            instances.lock().unwrap()[at].is_ready.then_some(())
        })
        .await;
    }
    until.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.push(writer.await.unwrap());
    }
    watch.abort();
    println!("acknowledged {acknowledged:?}");
    assert!(acknowledged.iter().all(|count| *count > 50));
    counts(&servers[0], &admin, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_passed_socket_a_restart_refuses_no_connection() {
    for database in databases().await {
        let home = database.directory.path();
        let admin = token(home, &database.url, "shop", "admin");
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", socket.local_addr().unwrap());
        let mut server = Process::serve_on(home, &database.url, &socket);
        assert_eq!(server.url, address);
        let until = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let address = address.clone();
                // Each request on a connection of its own: none may be refused.
                let client = Client::builder().pool_max_idle_per_host(0).build().unwrap();
                tokio::spawn(keep_writing(
                    admin.clone(),
                    writer,
                    until.clone(),
                    move |_| address.clone(),
                    client,
                ))
            })
            .collect();
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            server.ask_to_stop();
            server.stopped();
            server = Process::serve_on(home, &database.url, &socket);
        }
        until.store(true, Ordering::Relaxed);
        let mut acknowledged = Vec::new();
        for writer in writers {
            acknowledged.push(writer.await.unwrap());
        }
        println!("{}: acknowledged {acknowledged:?}", database.engine);
        assert!(acknowledged.iter().all(|count| *count > 5));
        counts(&server, &admin, &acknowledged).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_told_to_stop_says_so_serves_on_for_its_grace_and_ends_its_connections()
{
    let database = of_engine("SQLite").await;
    let home = database.directory.path();
    let admin = token(home, &database.url, "shop", "admin");
    let server = Process::serve(home, &database.url, &["--grace", "2"]);
    let client = Client::new();
    let ready = format!("{}/readyz", server.url);
    let before = client.get(&ready).send().await.unwrap();
    assert_eq!(before.status(), StatusCode::OK);
    assert!(before.headers().get("connection").is_none());
    let began = Instant::now();
    server.ask_to_stop();
    let draining = within(Duration::from_secs(1), "not ready", async || {
        let answer = client.get(&ready).send().await.unwrap();
        (answer.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
    })
    .await;
    assert_eq!(draining.headers()["connection"], "close");
    let request = server.api(&client, &admin, Method::GET, "series");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["connection"], "close");
    let beacon = client.post(format!("{}/rum/nobody", server.url));
    let answer = beacon.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(answer.headers()["connection"], "close", "of a beacon");
    server.stopped();
    assert!(began.elapsed() > Duration::from_secs(2), "{began:?}");
    assert!(began.elapsed() < Duration::from_secs(6), "{began:?}");
    assert!(client.get(&ready).send().await.unwrap_err().is_connect());
}
