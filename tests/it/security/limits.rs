//! Bodies that are meant to exhaust the server: bombs, floods and drips.

use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use longwatch::http::Settings;
use reqwest::{Client, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{code, server, sqlite};
use crate::ground::Server;
use crate::process::{Process, token};

/// What memory one hostile upload may cost: the largest body, decoded once, and as much again to grow into.
const MEMORY_KIB: u64 = 160 << 10;

fn gzip_of_zeros(mebibytes: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..mebibytes {
        encoder.write_all(&zeros).unwrap();
    }
    encoder.finish().unwrap()
}

fn zstd_of_zeros(mebibytes: usize) -> Vec<u8> {
    zstd::stream::encode_all(&vec![0; mebibytes << 20][..], 3).unwrap()
}

/// Frames that decoders skip: they decode to nothing, however many there are.
fn skippable_frames(count: usize) -> Vec<u8> {
    let frame = [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0][..], b"skip"].concat();
    frame.repeat(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_bomb_is_refused_before_it_costs_memory() {
    let database = sqlite().await;
    let home = database.directory.path();
    let admin = token(home, &database.url, "shop", "admin");
    let server = Process::serve(home, &database.url, &[]);
    let client = Client::new();
    let before_kib = server.peak_kib();
    for (encoding, bomb) in [
        (Some("gzip"), gzip_of_zeros(512)),
        (None, gzip_of_zeros(512)),
        (Some("zstd"), zstd_of_zeros(512)),
        (Some("gzip"), vec![0; 9 << 20]),
    ] {
        assert!(bomb.len() < 10 << 20);
        for path in ["results?release=v1", "samples?release=v1"] {
            let mut request = server
                .api(&client, &admin, Method::POST, path)
                .body(bomb.clone());
            if let Some(encoding) = encoding {
                request = request.header("content-encoding", encoding);
            }
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 413, "{encoding:?} to {path}");
            assert_eq!(code(answer).await, "too_large");
        }
    }
    let skipped = server
        .api(&client, &admin, Method::POST, "results?release=v1")
        .header("content-encoding", "zstd")
        .body(skippable_frames(600_000))
        .send()
        .await
        .unwrap();
    assert_eq!(skipped.status(), 422);
    let cost_kib = server.peak_kib() - before_kib;
    assert!(
        cost_kib < MEMORY_KIB,
        "the bombs cost {} MiB",
        cost_kib >> 10
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_the_limit_is_refused_by_its_announcement() {
    let server = server().await;
    let mut connection = connect(&server).await;
    let head = head(&server, "content-length: 68157440");
    connection.write_all(head.as_bytes()).await.unwrap();
    let answer = read_some(&mut connection).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_drips_is_cut() {
    let settings = Settings {
        body_deadline: Some(Duration::from_millis(700)),
        ..Settings::default()
    };
    let server = Server::start(sqlite().await, settings).await;
    let mut connection = connect(&server).await;
    let head = head(&server, "content-length: 1000");
    connection.write_all(head.as_bytes()).await.unwrap();
    let began = Instant::now();
    let (mut receive, mut send) = connection.split();
    let drip = async {
        // A byte in time, every time: no pause between two of them is long.
        while send.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        std::future::pending().await
    };
    let answer = tokio::select! {
        answer = read_some(&mut receive) => answer,
        never = drip => never,
    };
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "cut after {:?}",
        began.elapsed()
    );
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let list = server.get("series").await;
    assert_eq!(
        list["items"],
        serde_json::json!([]),
        "the server serves on, and has stored nothing"
    );
    server.stop().await;
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.url.trim_start_matches("http://"))
        .await
        .unwrap()
}

fn head(server: &Server, length: &str) -> String {
    format!(
        "POST /api/v1/projects/shop/results?release=v1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n{length}\r\n\r\n",
        server.admin
    )
}

async fn read_some(connection: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut bytes = vec![0; 4096];
    let read = connection.read(&mut bytes);
    let count = tokio::time::timeout(Duration::from_secs(10), read)
        .await
        .expect("an answer")
        .unwrap();
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}
