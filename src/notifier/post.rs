//! One request to a receiver: bounded in time and bytes, without redirects, proxies or anything of its answer but the
//! status.

use std::error::Error;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

use super::backoff;
use super::resolver::PublicOnly;

/// A connection, names and TLS included, must stand by then.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An answer must be there by then.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The cause of a failed connection is shown up to this many characters.
const CAUSE_LIMIT: usize = 200;

/// Sends requests; the client behind it is made with the first.
#[derive(Debug)]
pub(super) struct Sender {
    allow_private: bool,
    client: OnceLock<Client>,
}

/// An attempt that its receiver did not take. The text never holds address, secret or answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// Why, for a person.
    pub error: String,
    /// How long the receiver asks us to wait.
    pub wait: Option<Duration>,
    /// Whether trying again cannot help.
    pub is_final: bool,
}

impl Refused {
    /// One that may well be taken later.
    pub(super) fn for_now(error: impl Into<String>) -> Refused {
        Refused {
            error: error.into(),
            wait: None,
            is_final: false,
        }
    }

    /// One that no later attempt can mend.
    pub(super) fn for_good(error: impl Into<String>) -> Refused {
        Refused {
            is_final: true,
            ..Refused::for_now(error)
        }
    }
}

impl Sender {
    /// A sender that reaches public addresses, or with `allow_private` all of them.
    pub(super) fn new(allow_private: bool) -> Sender {
        Sender {
            allow_private,
            client: OnceLock::new(),
        }
    }

    /// Posts JSON. Any answer of 200 to 299 means that it was taken.
    pub(super) async fn post(
        &self,
        address: Url,
        headers: HeaderMap,
        body: Vec<u8>,
        now_us: i64,
    ) -> Result<(), Refused> {
        let answer = self
            .client()?
            .post(address)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .headers(headers)
            .body(body)
            .send()
            .await
            .map_err(|error| Refused::for_now(cause(&error)))?;
        // The body of the answer is never read: its status says all, and dropping it ends the connection.
        judged(answer.status(), answer.headers(), now_us)
    }

    fn client(&self) -> Result<&Client, Refused> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = settings(self.allow_private)
            .build()
            .map_err(|error| Refused::for_now(format!("no TLS client: {}", innermost(&error))))?;
        Ok(self.client.get_or_init(|| client))
    }
}

fn settings(allow_private: bool) -> reqwest::ClientBuilder {
    let settings = Client::builder()
        .user_agent(concat!("longwatch/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        // A proxy would resolve names itself, past our check.
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        // Alerts are rare: each has a connection, and so a checked address, of its own.
        .pool_max_idle_per_host(0);
    if allow_private {
        settings
    } else {
        settings.https_only(true).dns_resolver(PublicOnly::system())
    }
}

fn judged(status: StatusCode, headers: &HeaderMap, now_us: i64) -> Result<(), Refused> {
    if status.is_success() {
        return Ok(());
    }
    let mut refused = Refused::for_now(format!("the receiver answered {}", status.as_u16()));
    if status.is_redirection() {
        refused.error.push_str("; redirects are not followed");
    }
    // Gone: the receiver wants no more.
    refused.is_final = status == StatusCode::GONE;
    refused.wait = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| backoff::asked(value, now_us));
    Err(refused)
}

/// A failed request in words, without its address.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    let what = if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    let innermost: String = innermost(error).chars().take(CAUSE_LIMIT).collect();
    format!("{what}: {innermost}")
}

fn innermost(error: &reqwest::Error) -> String {
    let mut source = error.source();
    let mut text = String::from("cause unknown");
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::net::SocketAddr;
    use std::sync::Arc;

    use reqwest::dns::{Addrs, Name, Resolve, Resolving};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Answers each connection with these bytes and counts them.
    async fn receiver(answer: &'static [u8]) -> (SocketAddr, tokio::sync::mpsc::Receiver<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections) = tokio::sync::mpsc::channel(16);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                seen.send(()).await.unwrap();
                let mut request = [0; 4_096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer).await;
            }
        });
        (address, connections)
    }

    async fn sent(answer: &'static [u8]) -> Result<(), Refused> {
        let (address, _connections) = receiver(answer).await;
        let url = Url::parse(&format!("http://{address}/hush")).unwrap();
        Sender::new(true)
            .post(url, HeaderMap::new(), b"{}".to_vec(), 0)
            .await
    }

    #[tokio::test]
    async fn only_the_status_decides() {
        assert_eq!(sent(b"HTTP/1.1 204 No Content\r\n\r\n").await, Ok(()));
        let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n{";
        assert_eq!(
            sent(cut).await,
            Ok(()),
            "taken, though its answer is cut off"
        );
        let refused = sent(b"HTTP/1.1 500 Hush\r\ncontent-length: 6\r\n\r\nsecret").await;
        assert_eq!(
            refused,
            Err(Refused::for_now("the receiver answered 500")),
            "nothing of its text is shown"
        );
        let gone = sent(b"HTTP/1.1 410 Gone\r\n\r\n").await.unwrap_err();
        assert!(gone.is_final);
    }

    #[tokio::test]
    async fn a_busy_receiver_says_how_long_to_wait() {
        let busy = sent(b"HTTP/1.1 429 Slow\r\nretry-after: 7\r\n\r\n").await;
        assert_eq!(busy.unwrap_err().wait, Some(Duration::from_secs(7)));
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let (target, mut reached) = receiver(b"HTTP/1.1 200 OK\r\n\r\n").await;
        let answer =
            format!("HTTP/1.1 307 Here\r\nlocation: http://{target}/\r\ncontent-length: 0\r\n\r\n");
        let refused = sent(answer.leak().as_bytes()).await.unwrap_err();
        assert_eq!(
            refused.error,
            "the receiver answered 307; redirects are not followed"
        );
        assert!(reached.try_recv().is_err());
    }

    #[tokio::test]
    async fn an_absent_receiver_is_told_without_its_address() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let url = Url::parse(&format!("http://{address}/hush")).unwrap();
        let refused = Sender::new(true)
            .post(url, HeaderMap::new(), Vec::new(), 0)
            .await
            .unwrap_err();
        assert!(
            refused.error.starts_with("no connection: "),
            "{}",
            refused.error
        );
        assert!(!refused.error.contains("hush") && !refused.error.contains("127.0.0.1"));
        assert!(!refused.is_final);
    }

    #[tokio::test]
    async fn a_receiver_that_never_answers_is_left() {
        let (address, mut connections) = receiver_that_waits().await;
        let limit = Duration::from_millis(200);
        let impatient = settings(true).timeout(limit).build().unwrap();
        let post = impatient.post(format!("http://{address}/hush"));
        let error = post.send().await.unwrap_err();
        assert_eq!(cause(&error), "no answer within 10 s");
        assert!(connections.try_recv().is_ok());
    }

    /// Takes connections and says nothing.
    async fn receiver_that_waits() -> (SocketAddr, tokio::sync::mpsc::Receiver<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections) = tokio::sync::mpsc::channel(16);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                seen.send(stream).await.unwrap();
            }
        });
        (address, connections)
    }

    /// Answers every name with a loopback address.
    struct Loopback(SocketAddr);

    impl Resolve for Loopback {
        fn resolve(&self, _: Name) -> Resolving {
            let address = self.0;
            Box::pin(async move {
                let addresses: Addrs = Box::new(std::iter::once(address));
                Ok(addresses)
            })
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_never_dialled() {
        let (inside, mut reached) = receiver(b"HTTP/1.1 200 OK\r\n\r\n").await;
        let url = Url::parse(&format!("http://hooks.example.com:{}/", inside.port())).unwrap();
        let by =
            |resolver: Arc<dyn Resolve>| settings(true).dns_resolver(resolver).build().unwrap();

        let unguarded = by(Arc::new(Loopback(inside)));
        unguarded.post(url.clone()).send().await.unwrap();
        assert!(reached.try_recv().is_ok(), "the resolver is the one asked");

        let guarded = by(Arc::new(PublicOnly::over(Arc::new(Loopback(inside)))));
        let error = guarded.post(url).send().await.unwrap_err();
        assert_eq!(
            cause(&error),
            "no connection: it leads to an address that is not public"
        );
        assert!(reached.try_recv().is_err());
    }

    #[tokio::test]
    async fn the_strict_client_resolves_by_the_public_rule_and_speaks_only_https() {
        let (inside, mut reached) = receiver(b"HTTP/1.1 200 OK\r\n\r\n").await;
        let strict = Sender::new(false);
        let post = |url: &str| {
            let url = Url::parse(url).unwrap();
            strict.post(url, HeaderMap::new(), Vec::new(), 0)
        };
        let name = post(&format!("https://localhost:{}/", inside.port())).await;
        assert_eq!(
            name.unwrap_err().error,
            "no connection: it leads to an address that is not public"
        );
        assert!(post(&format!("http://{inside}/")).await.is_err());
        assert!(reached.try_recv().is_err());
    }
}
