//! A listener that is closed before what it accepted is.

use std::future::pending;
use std::io;
use std::net::SocketAddr;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Accepts until it is told to close. A server that is told to end cuts connections that it has accepted and not yet
/// read from; so the listener closes first, and what came in by then gets to say what it wants.
pub(super) struct Closing {
    listener: Option<TcpListener>,
    closed: watch::Receiver<bool>,
}

impl Closing {
    /// Accepts from a listener until `closed` turns true, or its sender is gone.
    pub(super) fn new(listener: TcpListener, closed: watch::Receiver<bool>) -> Closing {
        Closing {
            listener: Some(listener),
            closed,
        }
    }
}

impl Listener for Closing {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        if let Some(listener) = &mut self.listener {
            tokio::select! {
                biased;
                _ = self.closed.wait_for(|closed| *closed) => {}
                accepted = Listener::accept(listener) => return accepted,
            }
        }
        self.listener = None;
        pending().await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.listener {
            Some(listener) => listener.local_addr(),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}
