//! Connections: accepted, served, and ended in order. None is held for a client that says nothing and takes nothing.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::Timer;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};

use crate::http::Door;

/// How long a connection may take to say what it wants, from its beginning or from the last answer, and how long a client
/// may take no byte of an answer, where the settings say nothing else. Load balancers keep theirs for a minute, and it is
/// they who should close them.
pub const PATIENCE: Duration = Duration::from_secs(75);
/// How long open requests may take to end once the service stops.
const DRAIN: Duration = Duration::from_secs(10);
/// How long a connection that was accepted last may take to send its request.
const LAST_REQUEST: Duration = Duration::from_millis(200);
/// How long to wait before accepting again where the system has no connection left to give.
const EXHAUSTED: Duration = Duration::from_secs(1);

/// Serves what a listener accepts until `ended` completes. Then it closes the listener; what came in by then gets to say
/// what it wants, and open requests get a deadline.
pub async fn serve(
    listener: TcpListener,
    door: Door,
    patience: Duration,
    ended: impl Future<Output = ()>,
) {
    let mut http = http1::Builder::new();
    http.timer(Ticked)
        .header_read_timeout(patience)
        // A client may close its own direction and still hear its answer. To look for that costs a read a request.
        .half_close(true);
    let open = GracefulShutdown::new();
    let mut ended = pin!(ended);
    loop {
        let stream = tokio::select! {
            biased;
            () = &mut ended => break,
            stream = accept(&listener) => stream,
        };
        let stream = TokioIo::new(Patient::new(stream, patience));
        let connection = open.watch(http.serve_connection(stream, door.clone()));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::trace!(%error, "connection ended");
            }
        });
    }
    drop(listener);
    sleep(LAST_REQUEST).await;
    if tokio::time::timeout(DRAIN, open.shutdown()).await.is_err() {
        tracing::warn!("requests still open at the drain's deadline were cut");
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::error!(%error, "connections can't be accepted");
                sleep(EXHAUSTED).await;
            }
        }
    }
}

/// Whether the client gave its connection up before it was accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

/// hyper's deadline for the head of a request, which it sets anew for each: no timer of its own, but looked at whenever the
/// connection is woken, at the latest by its tick ([`Patient`]).
#[derive(Debug, Clone, Copy)]
struct Ticked;

struct Deadline(Instant);

impl Timer for Ticked {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Deadline(Instant::now() + duration))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Deadline(deadline))
    }
}

impl hyper::rt::Sleep for Deadline {}

impl Future for Deadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if Instant::now() < self.0 {
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

/// A connection that is woken now and then while it waits for its client, and that fails once its client has taken no byte
/// of what is written for too long.
struct Patient {
    stream: TcpStream,
    patience: Duration,
    tick: Pin<Box<Sleep>>,
    stalled: Option<Pin<Box<Sleep>>>,
}

/// Ticks within a connection's patience: so much later, at most, does it end.
const TICKS: u32 = 8;
const SHORTEST_TICK: Duration = Duration::from_millis(10);

impl Patient {
    fn new(stream: TcpStream, patience: Duration) -> Patient {
        Patient {
            stream,
            patience,
            tick: Box::pin(sleep(Duration::ZERO)),
            stalled: None,
        }
    }

    fn unless_stalled(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, into);
        if read.is_pending() {
            while self.tick.as_mut().poll(cx).is_ready() {
                let between = (self.patience / TICKS).max(SHORTEST_TICK);
                let next = tokio::time::Instant::now() + between;
                self.tick.as_mut().reset(next);
            }
        }
        read
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.unless_stalled(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.unless_stalled(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
