//! Clients that send a byte a second, or nothing, or never read what they asked for: others are served as before, memory
//! stays bounded, and in the end they are cut off.

use std::time::{Duration, Instant};

use longwatch::http::{Settings, assets};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use crate::endurance::Endurance;
use crate::ground::{Server, of_engine};
use crate::process::{Process, token, within};
use crate::writers::Writing;

/// How many slow clients there are.
const SLOW: usize = 500;
const WRITERS: usize = 4;
const REST: Duration = Duration::from_millis(10);
/// How long others are watched without slow clients, and with them in the short form.
const WATCHED: Duration = Duration::from_secs(4);
/// Others may wait this much longer beside them: some of it for the machine, which makes all the load too.
const LONGER: u32 = 3;
const LONGER_BY: Duration = Duration::from_millis(150);
/// The same in the short form, whose machine runs other tests meanwhile.
const LONGER_BY_SHORT: Duration = Duration::from_secs(3);
/// What one slow client may cost the server.
const KIB_EACH: u64 = 256;
/// Every deadline of a connection is over by then: for a body to come a minute, for everything else 75 seconds.
const CUT_WITHIN: Duration = Duration::from_secs(110);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// The head of its request comes byte by byte.
    Head,
    /// The body does.
    Body,
    /// It opens a connection and says nothing.
    Silent,
    /// It asks for more than fits on the way, and reads none of it.
    Deaf,
}

/// The kind of the how manieth; few are deaf, since the server works for these until the way is full.
fn kind(at: usize) -> Kind {
    match at % 25 {
        0 => Kind::Deaf,
        1..8 => Kind::Silent,
        8..16 => Kind::Head,
        _ => Kind::Body,
    }
}

/// Opens a connection of a kind and keeps it slow, with a byte every `pause`, until it is cut off; how long that took.
async fn slow(address: String, token: String, kind: Kind, pause: Duration) -> Duration {
    let socket = TcpSocket::new_v4().unwrap();
    if kind == Kind::Deaf {
        socket.set_recv_buffer_size(4_096).unwrap();
    }
    let mut connection = socket.connect(address.parse().unwrap()).await.unwrap();
    let began = Instant::now();
    let first = match kind {
        Kind::Head => "GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ".to_owned(),
        Kind::Body => format!(
            "POST /api/v1/projects/shop/samples HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             content-length: 1000\r\n\r\n"
        ),
        Kind::Silent => String::new(),
        Kind::Deaf => {
            let sheet = assets::address("style.css");
            format!("GET {sheet} HTTP/1.1\r\nhost: x\r\n\r\n").repeat(400)
        }
    };
    connection.write_all(first.as_bytes()).await.unwrap();
    is_cut(connection, kind, pause).await;
    began.elapsed()
}

async fn is_cut(mut connection: TcpStream, kind: Kind, pause: Duration) {
    let mut answer = [0; 1_024];
    loop {
        tokio::time::sleep(pause).await;
        let is_written = kind == Kind::Silent || connection.write_all(b" ").await.is_ok();
        let is_closed = match connection.try_read(&mut answer) {
            _ if kind == Kind::Deaf => false,
            Ok(read) => read == 0,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        };
        if is_closed || !is_written {
            return;
        }
    }
}

/// The how manieth slow client of a server.
fn slow_one(at: usize, url: &str, token: &str, pause: Duration) -> JoinHandle<Duration> {
    let address = url.trim_start_matches("http://").to_owned();
    tokio::spawn(slow(address, token.to_owned(), kind(at), pause))
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_slow_clients_cost_others_nothing_and_little_memory() {
    let database = of_engine("SQLite").await;
    let endurance = Endurance::begin("slow", database.engine, WATCHED);
    let home = database.directory.path();
    let admin = token(home, &database.url, "shop", "admin");
    let server = Process::serve(home, &database.url, &[]);
    let writing = Writing::start([&server], &admin, WRITERS, REST);
    tokio::time::sleep(WATCHED).await;
    let (alone, memory_kib) = (writing.p99(), server.memory_kib());
    let pause = Duration::from_secs(1);
    let begin = |at| slow_one(at, &server.url, &admin, pause);
    let mut slow: Vec<_> = (0..SLOW).map(begin).collect();
    // That all of them come at once is a burst of its own; it is over when others are served.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = writing.acknowledged();
    within(Duration::from_secs(30), "others are served", async || {
        (writing.acknowledged() > before + 5 * WRITERS).then_some(())
    })
    .await;
    writing.p99();
    let (mut most_kib, mut cut_off, began) = (0, 0, Instant::now());
    while began.elapsed() < WATCHED || endurance.goes_on() {
        tokio::time::sleep(Duration::from_millis(500)).await;
        most_kib = most_kib.max(server.memory_kib());
        // Whoever is cut off comes again.
        for (at, task) in slow.iter_mut().enumerate() {
            if task.is_finished() {
                let cut = std::mem::replace(task, begin(at)).await.unwrap();
                assert!(Endurance::is_long(), "cut after {cut:?}");
                assert!(cut < CUT_WITHIN, "cut after {cut:?}");
                cut_off += 1;
            }
        }
    }
    let beside = writing.p99();
    let cost_kib = most_kib.saturating_sub(memory_kib);
    println!("p99 {alone:?} alone, {beside:?} beside slow clients, which cost {cost_kib} KiB");
    let by = if Endurance::is_long() {
        LONGER_BY
    } else {
        LONGER_BY_SHORT
    };
    assert!(beside < alone * LONGER + by, "{beside:?}, alone {alone:?}");
    assert!(cost_kib < KIB_EACH * slow.len() as u64, "{cost_kib} KiB");
    if Endurance::is_long() && began.elapsed() > CUT_WITHIN {
        println!("{cut_off} were cut off");
        assert!(cut_off >= slow.len());
    }
    slow.iter().for_each(JoinHandle::abort);
    endurance.tell(writing.end(&server).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_of_every_kind_are_cut_off_in_the_end() {
    const PATIENCE: Duration = Duration::from_millis(800);
    let settings = Settings {
        body_deadline: Some(PATIENCE),
        patience: Some(PATIENCE),
        ..Settings::default()
    };
    let server = Server::start(of_engine("SQLite").await, settings).await;
    let pause = Duration::from_millis(50);
    let begin = |at| slow_one(at, &server.url, &server.admin, pause);
    let slow: Vec<_> = (0..25).map(begin).collect();
    for (at, task) in slow.into_iter().enumerate() {
        let kind = kind(at);
        let cut = tokio::time::timeout(Duration::from_secs(20), task).await;
        let cut_after = cut.unwrap_or_else(|_| panic!("{kind:?} is not cut off"));
        assert!(cut_after.unwrap() > PATIENCE / 2, "{kind:?}");
    }
    // Whoever asks again in time keeps its connection.
    let mut patient = TcpStream::connect(server.url.trim_start_matches("http://"))
        .await
        .unwrap();
    for _ in 0..4 {
        tokio::time::sleep(PATIENCE / 2).await;
        let ask = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        patient.write_all(ask).await.unwrap();
        let mut answer = [0; 4_096];
        let read = patient.read(&mut answer).await.unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 200 "));
    }
    drop(patient);
    server.stop().await;
}
