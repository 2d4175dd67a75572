//! One upload: compressed, keyed so that a repeat counts once, sent, and kept on disk where the server is away.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use super::super::Failure;
use super::super::client::{Client, ClientError, Content, Problem};
use super::super::retry::{Patience, with_retries};
use super::context::Context;
use super::inputs::{FILE_BYTES, Input};
use super::outcome::{Outcome, Sent, Stored};
use super::spool::{Spool, Waiting};

/// What a server takes of compressed bytes.
const BODY_BYTES: usize = 8 << 20;
/// Servers refuse what unpacks to more than 100 times its size, as a bomb would; we stay well below.
const RATIO: usize = 50;

/// An upload, ready to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Upload {
    pub(super) name: String,
    pub(super) key: String,
    pub(super) gzip: bool,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Upload {
    /// Of a file's bytes, unless they are more than a server takes.
    fn of(name: &str, bytes: &[u8], context: &Context, project: &str) -> Result<Self, Problem> {
        let too_large = |what: String| Problem {
            code: "too_large".to_owned(),
            hint: Some("split the file".to_owned()),
            ..Problem::from_text(413, &what)
        };
        if bytes.len() as u64 > FILE_BYTES {
            return Err(too_large(format!(
                "the file has more than {FILE_BYTES} bytes"
            )));
        }
        let (body, gzip) = compressed(bytes);
        if body.len() > BODY_BYTES {
            return Err(too_large(format!(
                "the file has {} bytes when compressed, more than {BODY_BYTES}",
                body.len()
            )));
        }
        Ok(Self {
            name: name.to_owned(),
            key: key(project, &context.query, bytes),
            gzip,
            query: context.query.clone(),
            body,
        })
    }

    async fn send(&self, client: &Client, patience: Duration) -> Result<Stored, ClientError> {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
        if self.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Ok(key) = HeaderValue::from_str(&self.key) {
            headers.insert(HeaderName::from_static("idempotency-key"), key);
        }
        let content = Content {
            body: self.body.clone(),
            headers,
        };
        let send = || {
            client.send(
                Method::POST,
                client.address(&["results"], &self.query),
                content.clone(),
            )
        };
        Stored::read(with_retries(Patience::of(patience), send).await?)
    }
}

/// Gzip, where it helps and stays far from what a server takes for a bomb.
fn compressed(bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    match packed {
        Ok(packed)
            if packed.len() < bytes.len()
                && (packed.len() * RATIO > bytes.len() || bytes.len() > BODY_BYTES) =>
        {
            (packed, true)
        }
        _ => (bytes.to_vec(), false),
    }
}

/// The same project, context and bytes give the same key, wherever and whenever they are sent; lengths keep parts apart.
fn key(project: &str, query: &[(String, String)], bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    let pairs = query
        .iter()
        .flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    for part in [project.as_bytes()].into_iter().chain(pairs).chain([bytes]) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Sends one file, or keeps it on disk where the server stays away. Errs where it makes no sense to go on: the token is
/// wrong, or the project is not there.
pub(super) async fn input(
    client: &Client,
    context: &Context,
    spool: &Spool,
    input: &Input,
    patience: Duration,
) -> Result<Sent, Failure> {
    let sent = |outcome| Sent {
        name: input.name.clone(),
        outcome,
    };
    let bytes = match input.read() {
        Ok(bytes) => bytes,
        Err(outcome) => return Ok(sent(outcome)),
    };
    let upload = match Upload::of(&input.name, &bytes, context, client.project()) {
        Ok(upload) => upload,
        Err(problem) => return Ok(sent(Outcome::Refused { problem })),
    };
    Ok(sent(match upload.send(client, patience).await {
        Ok(stored) => Outcome::Stored(stored),
        Err(ClientError::Refused(problem))
            if problem.code == "wrong_format" && !input.was_named =>
        {
            Outcome::LeftOut { problem }
        }
        Err(ClientError::Refused(problem)) => Outcome::Refused { problem },
        Err(why) if why.is_passing() => keep(client, context, spool, upload, &bytes, why),
        Err(ClientError::Broken(problem)) => Outcome::Lost {
            why: problem.to_string(),
        },
        Err(error) => return Err(error.into()),
    }))
}

fn keep(
    client: &Client,
    context: &Context,
    spool: &Spool,
    mut upload: Upload,
    bytes: &[u8],
    why: ClientError,
) -> Outcome {
    // It will arrive later than it was measured: where nobody states the time, it is now. The key stays as it is.
    if context.field("time").is_none() && !states_time(&upload.name, bytes, context) {
        upload
            .query
            .push(("time".to_owned(), jiff::Timestamp::now().to_string()));
    }
    match spool.keep(client.base(), client.project(), &upload) {
        Ok(at) => Outcome::Spooled {
            at,
            why: why.to_string(),
        },
        Err(error) => Outcome::Lost {
            why: format!("{why}; nor can it wait on disk: {error}"),
        },
    }
}

fn states_time(name: &str, bytes: &[u8], context: &Context) -> bool {
    let options = collectors::ParseOptions {
        format: context
            .field("format")
            .and_then(|format| format.parse().ok()),
        unit: context.field("unit").map(str::to_owned),
        flow: context.field("flow").map(str::to_owned),
        file_name: name.to_owned(),
    };
    collectors::parse(bytes, &options).is_ok_and(|report| report.context.time_us.is_some())
}

/// Sends what waits for this server and project, oldest first, until something says that it makes no sense now.
/// What is refused is set aside; both are told on standard error.
pub(super) async fn resume(client: &Client, spool: &Spool) {
    let paths = match spool.paths() {
        Ok(paths) => paths,
        Err(error) => return eprintln!("longwatch: what waits on disk cannot be listed: {error}"),
    };
    for path in paths {
        let waiting = match Spool::read(&path) {
            Ok(waiting) => waiting,
            Err(error) => {
                eprintln!(
                    "longwatch: {}: not readable as a waiting upload: {error}",
                    path.display()
                );
                continue;
            }
        };
        if waiting.url != client.base() || waiting.project != client.project() {
            continue;
        }
        match settle(client, &waiting).await {
            Ok(words) => eprintln!("longwatch: {words}"),
            Err(_) => return,
        }
    }
}

/// Delivers one that waits; errs where it goes on waiting.
async fn settle(client: &Client, waiting: &Waiting) -> Result<String, ClientError> {
    let failed = |what: std::io::Error| format!("{}: {what}", waiting.path.display());
    match waiting.upload.send(client, Duration::ZERO).await {
        Ok(stored) => {
            let sent = Sent {
                name: waiting.upload.name.clone(),
                outcome: Outcome::Stored(stored),
            };
            Ok(Spool::remove(&waiting.path).map_or_else(failed, |()| {
                format!("from an earlier push: {}", sent.lines().join("\n"))
            }))
        }
        Err(ClientError::Refused(problem)) => Ok(Spool::set_aside(&waiting.path).map_or_else(
            failed,
            |aside| {
                format!(
                    "{} from an earlier push is refused and kept as {}: {problem}",
                    waiting.upload.name,
                    aside.display()
                )
            },
        )),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Read;

    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_key_tells_projects_contexts_and_bytes_apart_and_nothing_else() {
        let query = pairs(&[("release", "v1"), ("run", "2")]);
        let one = key("shop", &query, b"bytes");
        assert_eq!(one, key("shop", &query, b"bytes"));
        for other in [
            key("shop2", &query, b"bytes"),
            key("shop", &query, b"byte"),
            key("shop", &pairs(&[("release", "v1r"), ("un", "2")]), b"bytes"),
        ] {
            assert_ne!(one, other);
        }
        assert_eq!(one.len(), 64);
    }

    #[test]
    fn results_are_compressed_unless_they_would_look_like_a_bomb() {
        let text: String = (0..5_000)
            .map(|n| format!("{{\"value\": {}}}\n", n * 7_919 % 10_007))
            .collect();
        let (packed, gzip) = compressed(text.as_bytes());
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&packed[..])
            .read_to_string(&mut unpacked)
            .unwrap();
        assert!(gzip && packed.len() * 3 < text.len() && unpacked == text);
        assert!(!compressed(&vec![b' '; 1 << 20]).1);
        assert!(!compressed(b"x").1);
    }

    #[test]
    fn a_file_beyond_the_limit_is_refused_before_it_is_sent() {
        let bytes = vec![0; usize::try_from(FILE_BYTES).unwrap() + 1];
        let problem = Upload::of("a", &bytes, &Context { query: Vec::new() }, "shop").unwrap_err();
        assert_eq!(problem.code, "too_large");
    }
}
