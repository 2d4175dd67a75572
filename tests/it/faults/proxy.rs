//! A way to PostgreSQL that knows its protocol well enough to count the rounds that a client asks for, and to spoil one.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Fault;
use super::control::Control;

/// Longer than the service waits for a statement, on its own clock.
const TOO_LATE: Duration = Duration::from_secs(31);
/// By when it has noticed.
const NOTICED: Duration = Duration::from_millis(700);

/// The proxy; it lives as long as the test's runtime.
pub(super) struct Proxy {
    /// The address of the database behind it.
    pub(super) url: String,
    plan: Arc<Plan>,
}

struct Plan {
    at: AtomicU64,
    fault: Mutex<Option<Fault>>,
    count: AtomicU64,
    has_fired: AtomicBool,
    is_looked_at: AtomicBool,
    control: Arc<Control>,
}

impl Plan {
    /// Counts a round; the fault that this one meets.
    fn reached(&self) -> Option<Fault> {
        if self.is_looked_at.load(Ordering::SeqCst) {
            return None;
        }
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        if self.at.load(Ordering::SeqCst) != number {
            return None;
        }
        self.has_fired.store(true, Ordering::SeqCst);
        *self.fault.lock().unwrap()
    }
}

impl Proxy {
    /// Before a database; `control` has the clock and the id of its client.
    pub(super) async fn before(database: &str, control: Arc<Control>) -> Proxy {
        let mut url = Url::parse(database).unwrap();
        let host = url.host_str().unwrap().to_owned();
        let server = (host, url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        let port = listener.local_addr().unwrap().port();
        url.set_port(Some(port)).unwrap();
        let plan = Arc::new(Plan {
            at: AtomicU64::new(0),
            fault: Mutex::new(None),
            count: AtomicU64::new(0),
            has_fired: AtomicBool::new(false),
            is_looked_at: AtomicBool::new(false),
            control,
        });
        let of_all = plan.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(server.clone()).await.unwrap();
                for end in [&client, &server] {
                    end.set_nodelay(true).unwrap();
                }
                // Either side may break off as it likes.
                tokio::spawn(carry(client, server, of_all.clone()));
            }
        });
        Proxy {
            url: url.into(),
            plan,
        }
    }

    /// The round of this number is spoilt, counted from now on over all connections.
    pub(super) fn arm(&self, fault: Fault, number: u64) {
        *self.plan.fault.lock().unwrap() = Some(fault);
        self.count_from_here();
        self.plan.at.store(number, Ordering::SeqCst);
    }

    pub(super) fn count_from_here(&self) {
        self.plan.count.store(0, Ordering::SeqCst);
    }

    /// While a test looks at what there is, nothing is counted nor spoilt.
    pub(super) fn looked_at(&self, is_looked_at: bool) {
        let flag = &self.plan.is_looked_at;
        flag.store(is_looked_at, Ordering::SeqCst);
    }

    pub(super) fn count(&self) -> u64 {
        self.plan.count.load(Ordering::SeqCst)
    }

    pub(super) fn has_fired(&self) -> bool {
        self.plan.has_fired.load(Ordering::SeqCst)
    }
}

/// The messages before the first typed one; encryption is declined.
async fn greet(client: &mut TcpStream, server: &mut TcpStream) -> io::Result<()> {
    const TLS: u32 = 80_877_103;
    const GSS: u32 = 80_877_104;
    loop {
        let length = client.read_u32().await?;
        let mut message = vec![0; length as usize - 4];
        client.read_exact(&mut message).await?;
        if [TLS, GSS].contains(&(&message[..4]).get_u32()) {
            client.write_all(b"N").await?;
            continue;
        }
        server.write_u32(length).await?;
        return server.write_all(&message).await;
    }
}

/// The next message's kind and length, once it is there as a whole.
fn message(bytes: &[u8]) -> Option<(u8, usize)> {
    let length = 1 + (bytes.get(1..5)?).get_u32() as usize;
    (bytes.len() >= length).then_some((bytes[0], length))
}

/// Takes what is to be sent on at once, and whether the server does something and answers. What is only prepared waits
/// for the message that starts it.
fn next_round(asked: &mut BytesMut) -> Option<(Bytes, bool)> {
    let mut end = 0;
    while let Some((kind, length)) = message(&asked[end..]) {
        end += length;
        if !b"PBDEC".contains(&kind) {
            return Some((asked.split_to(end).freeze(), b"QS".contains(&kind)));
        }
    }
    None
}

/// Takes the whole messages of what was answered, and how many rounds they end.
fn whole_messages(answered: &mut BytesMut) -> (Bytes, u64) {
    let (mut end, mut rounds) = (0, 0);
    while let Some((kind, length)) = message(&answered[end..]) {
        end += length;
        rounds += u64::from(kind == b'Z');
    }
    (answered.split_to(end).freeze(), rounds)
}

async fn carry(mut client: TcpStream, mut server: TcpStream, plan: Arc<Plan>) -> io::Result<()> {
    greet(&mut client, &mut server).await?;
    let (mut asked, mut answered) = (BytesMut::new(), BytesMut::new());
    // The greeting is answered like a round.
    let mut open = 1;
    loop {
        while let Some((round, is_counted)) = next_round(&mut asked) {
            let fault = if is_counted { plan.reached() } else { None };
            match fault {
                Some(Fault::Cut) => return Ok(()),
                Some(Fault::DieBefore) => {
                    plan.control.kill();
                    return Ok(());
                }
                Some(Fault::Late) => {
                    plan.control.advance(TOO_LATE);
                    tokio::time::sleep(NOTICED).await;
                }
                _ => {}
            }
            server.write_all(&round).await?;
            open += u64::from(is_counted);
            if let Some(Fault::CutAnswer | Fault::DieAfter) = fault {
                while open > 0 {
                    if server.read_buf(&mut answered).await? == 0 {
                        break;
                    }
                    open -= whole_messages(&mut answered).1;
                }
                if fault == Some(Fault::DieAfter) {
                    plan.control.kill();
                }
                return Ok(());
            }
        }
        tokio::select! {
            read = client.read_buf(&mut asked) => {
                if read? == 0 {
                    return Ok(());
                }
            }
            read = server.read_buf(&mut answered) => {
                if read? == 0 {
                    return Ok(());
                }
                let (messages, rounds) = whole_messages(&mut answered);
                open -= rounds;
                client.write_all(&messages).await?;
            }
        }
    }
}
