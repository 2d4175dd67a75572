//! A closed loop of connections against one server: each sends, waits for the answer, and sends again.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;

/// What one round of load saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Answers per second of wall time.
    pub(crate) per_second: f64,
    /// How many answers there were.
    pub(crate) answers: u64,
    /// How many of them were not a success.
    pub(crate) refused: u64,
}

/// One HTTP/1.1 request, whole.
pub(crate) fn request(path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Turns that a connection has at most in one load: the next load's begin behind them, so that nothing is sent twice.
const TURNS: u64 = 10_000_000;
/// Loads so far.
static LOADS: AtomicU64 = AtomicU64::new(0);

/// Keeps so many connections busy for so long. `make` gives the request of a connection's turn; no turn comes again.
///
/// # Panics
/// Panics where the server cannot be reached at all: then there is nothing to measure.
pub(crate) fn run(
    address: SocketAddr,
    connections: usize,
    length: Duration,
    make: impl Fn(usize, u64) -> Vec<u8> + Clone + Send + 'static,
) -> Seen {
    let first = LOADS.fetch_add(1, Ordering::Relaxed) * TURNS;
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let began = Instant::now();
        let until = began + length;
        let tasks: Vec<_> = (0..connections)
            .map(|connection| tokio::spawn(one(address, (connection, first), until, make.clone())))
            .collect();
        let (mut answers, mut refused) = (0, 0);
        for task in tasks {
            let (own, own_refused) = task.await.expect("a client").expect("a connection");
            answers += own;
            refused += own_refused;
        }
        Seen {
            per_second: answers as f64 / began.elapsed().as_secs_f64(),
            answers,
            refused,
        }
    })
}

async fn one(
    address: SocketAddr,
    (connection, first): (usize, u64),
    until: Instant,
    make: impl Fn(usize, u64) -> Vec<u8>,
) -> io::Result<(u64, u64)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(4096);
    let (mut answers, mut refused) = (0, 0);
    while Instant::now() < until {
        stream.write_all(&make(connection, first + answers)).await?;
        if !(200..300).contains(&answer(&mut stream, &mut buffer).await?) {
            refused += 1;
        }
        answers += 1;
    }
    Ok((answers, refused))
}

/// Reads one answer and gives its status.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<u16> {
    buffer.clear();
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .and_then(|length| length.trim().parse().ok())
                .unwrap_or(0);
            while buffer.len() < end + 4 + length {
                more(stream, buffer).await?;
            }
            let status = head.get(9..12).and_then(|status| status.parse().ok());
            return status.ok_or_else(|| io::Error::other("an answer without a status"));
        }
        more(stream, buffer).await?;
    }
}

async fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<()> {
    match stream.read_buf(buffer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// One request on a connection of its own that the server closes; the whole answer.
pub(crate) fn once(address: SocketAddr, request: &[u8]) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).expect("a connection");
    stream.write_all(request).expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}
