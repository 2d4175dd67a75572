//! A way to a database that can be blocked: connections stay, and nothing comes through.

use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(super) struct Proxy {
    /// The address of the database behind it.
    pub(super) url: String,
    flows: watch::Sender<bool>,
}

impl Proxy {
    pub(super) async fn before(database: &str) -> Proxy {
        let mut url = Url::parse(database).unwrap();
        let host = url.host_str().unwrap().to_owned();
        let server = (host, url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        let port = listener.local_addr().unwrap().port();
        url.set_port(Some(port)).unwrap();
        let (flows, flowing) = watch::channel(true);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(server.clone()).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(forward(from_client, to_server, flowing.clone()));
                tokio::spawn(forward(from_server, to_client, flowing.clone()));
            }
        });
        Proxy {
            url: url.into(),
            flows,
        }
    }

    pub(super) fn pause(&self) {
        self.flows.send(false).unwrap();
    }

    pub(super) fn resume(&self) {
        self.flows.send(true).unwrap();
    }
}

/// Passes on what comes, while it may, until one side closes.
async fn forward(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut flows: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 65_536];
    while let Ok(count) = from.read(&mut bytes).await {
        if flows.wait_for(|flows| *flows).await.is_err()
            || count == 0
            || to.write_all(&bytes[..count]).await.is_err()
        {
            break;
        }
    }
}
