//! Request bodies within bounds: encoded bytes, decoded bytes and their ratio are all limited before anything is parsed.

use std::io::Read;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError};
use tower_http::timeout::TimeoutError;

use super::error::{Error, Result};

/// Largest compressed body: what a run of thousands of benchmarks compresses to, several times over.
pub(super) const ENCODED_BYTES: usize = 8 << 20;
/// Largest plain or decompressed body.
pub(super) const DECODED_BYTES: usize = 64 << 20;
/// After the first mebibyte no honest file inflates more than this.
const RATIO: usize = 100;
const RATIO_FREE_BYTES: usize = 1 << 20;

/// Reads a whole body, decompressing gzip and zstd by `Content-Encoding` (or gzip by its magic number).
pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes> {
    let encoding = headers
        .get(header::CONTENT_ENCODING)
        .map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
    let limit = match encoding.as_deref() {
        None | Some("" | "identity") => DECODED_BYTES,
        _ => ENCODED_BYTES,
    };
    let encoded = whole(body, limit).await?;
    match encoding.as_deref() {
        None | Some("" | "identity") if encoded.starts_with(&[0x1f, 0x8b]) => {
            if encoded.len() > ENCODED_BYTES {
                return Err(too_large(ENCODED_BYTES));
            }
            decode(
                flate2::read::MultiGzDecoder::new(&encoded[..]),
                encoded.len(),
            )
        }
        None | Some("" | "identity") => Ok(encoded),
        Some("gzip" | "x-gzip") => decode(
            flate2::read::MultiGzDecoder::new(&encoded[..]),
            encoded.len(),
        ),
        Some("zstd") => {
            let mut decoder =
                zstd::stream::read::Decoder::new(&encoded[..]).map_err(|error| corrupt(&error))?;
            // A window beyond the largest body only serves to exhaust memory.
            decoder
                .window_log_max(26)
                .map_err(|error| corrupt(&error))?;
            decode(decoder, encoded.len())
        }
        Some(other) => Err(Error::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_encoding",
            format!("Content-Encoding {other:?}"),
        )
        .hint("send it plain, gzip or zstd")),
    }
}

/// A body of at most `limit` bytes. What lies beyond is read too and dropped, as far as the layers around us go: who is
/// cut off while sending does not hear the answer.
async fn whole(mut body: Body, limit: usize) -> Result<Bytes> {
    let (mut parts, mut length) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let Ok(part) = frame.map_err(|error| broken(&error))?.into_data() else {
            continue;
        };
        length = length.saturating_add(part.len());
        if length <= limit {
            parts.push(part);
        } else {
            parts.clear();
        }
    }
    match &mut parts[..] {
        _ if length > limit => Err(too_large(limit)),
        [whole] => Ok(std::mem::take(whole)),
        parts => Ok(parts.concat().into()),
    }
}

/// Why a body did not come to its end.
fn broken(error: &axum::Error) -> Error {
    let mut causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| {
        error.source()
    });
    if causes.clone().any(|cause| cause.is::<LengthLimitError>()) {
        return too_large(DECODED_BYTES);
    }
    if causes.any(|cause| cause.is::<TimeoutError>()) {
        let said = "the request body took too long to come";
        return Error::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", said);
    }
    let said = "the request body ended early";
    Error::new(StatusCode::BAD_REQUEST, "body_cut_short", said)
}

fn decode(mut reader: impl Read, encoded: usize) -> Result<Bytes> {
    let mut decoded = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        let read = reader.read(&mut chunk).map_err(|error| corrupt(&error))?;
        if read == 0 {
            return Ok(decoded.into());
        }
        decoded.extend_from_slice(&chunk[..read]);
        let bomb = decoded.len() > RATIO_FREE_BYTES && decoded.len() / RATIO > encoded;
        if bomb || decoded.len() > DECODED_BYTES {
            return Err(too_large(DECODED_BYTES));
        }
    }
}

fn too_large(limit: usize) -> Error {
    Error::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        format!(
            "the body is larger than {} MiB, or inflates suspiciously",
            limit >> 20
        ),
    )
    .hint("split it into several uploads")
}

fn corrupt(error: &std::io::Error) -> Error {
    Error::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "corrupt_gzip",
        format!("the compressed body does not decode: {error}"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    async fn read_as(encoding: Option<&str>, body: Vec<u8>) -> Result<Bytes> {
        let mut headers = HeaderMap::new();
        if let Some(encoding) = encoding {
            headers.insert(header::CONTENT_ENCODING, encoding.parse().unwrap());
        }
        read(&headers, Body::from(body)).await
    }

    #[tokio::test]
    async fn gzip_zstd_and_plain_read_alike() {
        let text = b"{\"results\":[]}".to_vec();
        let zstd = zstd::stream::encode_all(&text[..], 3).unwrap();
        assert_eq!(read_as(None, text.clone()).await.unwrap(), text);
        assert_eq!(read_as(None, gzip(&text)).await.unwrap(), text);
        assert_eq!(read_as(Some("gzip"), gzip(&text)).await.unwrap(), text);
        assert_eq!(read_as(Some("zstd"), zstd).await.unwrap(), text);
        assert_eq!(read_as(Some("br"), text).await.unwrap_err().status, 415);
    }

    #[tokio::test]
    async fn a_bomb_is_refused_before_it_is_inflated() {
        let bomb = gzip(&vec![0; 40 << 20]);
        assert!(bomb.len() < 100 << 10);
        assert_eq!(read_as(Some("gzip"), bomb).await.unwrap_err().status, 413);
    }

    #[tokio::test]
    async fn a_broken_stream_says_so() {
        let mut cut = gzip(b"hello hello hello");
        cut.truncate(12);
        assert_eq!(
            read_as(Some("gzip"), cut).await.unwrap_err().code,
            "corrupt_gzip"
        );
    }
}
