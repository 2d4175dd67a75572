//! Webhooks as the Standard Webhooks specification has them: an id that stays, the time of the attempt, and a
//! signature over both and the body.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};
use serde::Serialize;
use serde_json::Value;
use sha2::Sha256;

use crate::wording::moment::Moment;

/// Before a secret that is written in base64.
const BASE64_PREFIX: &str = "whsec_";

/// The keys that a receiver may check with: one, or two while they are being changed.
#[derive(Clone)]
pub(super) struct Secrets(Vec<Vec<u8>>);

/// A secret that cannot be a key; write `whsec_` and base64, or any other text as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SecretError {
    /// Nothing there.
    #[error("it holds no secret")]
    Empty,
    /// Not base64 behind the prefix.
    #[error("behind whsec_ stands no base64")]
    Base64,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

impl Secrets {
    /// Reads secrets separated by spaces, each `whsec_` and base64 or plain text.
    pub(super) fn read(text: &str) -> Result<Secrets, SecretError> {
        let keys: Vec<Vec<u8>> = text
            .split_whitespace()
            .map(|secret| match secret.strip_prefix(BASE64_PREFIX) {
                Some(encoded) => STANDARD.decode(encoded).map_err(|_| SecretError::Base64),
                None => Ok(secret.as_bytes().to_vec()),
            })
            .collect::<Result<_, _>>()?;
        if keys.iter().all(Vec::is_empty) {
            return Err(SecretError::Empty);
        }
        Ok(Secrets(keys))
    }

    /// One signature a secret, separated by spaces.
    fn signature(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let signatures: Vec<String> = self
            .0
            .iter()
            // HMAC takes keys of any length, so none is left out here.
            .filter_map(|key| Hmac::<Sha256>::new_from_slice(key).ok())
            .map(|mut mac| {
                mac.update(format!("{id}.{timestamp_s}.").as_bytes());
                mac.update(body);
                format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
            })
            .collect();
        signatures.join(" ")
    }
}

/// The body of a webhook.
#[derive(Debug, Serialize)]
struct Envelope {
    /// `finding.opened` and so on.
    r#type: String,
    /// When it happened, not when it was sent, so that the body is the same in every attempt.
    timestamp: String,
    /// The alert as it was stored, so that an upgrade in between does not change it.
    data: Value,
}

/// The JSON to send for an alert, given as JSON, that was written at `created_us`.
pub(super) fn body(event: &str, alert: &str, created_us: i64) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Envelope {
        r#type: format!("finding.{event}"),
        timestamp: Moment::new(created_us, created_us).iso(),
        data: serde_json::from_str(alert)?,
    })
}

/// The headers of one attempt: id, time and, where the receiver has a secret, signature.
pub(super) fn headers(
    id: &str,
    timestamp_s: i64,
    body: &[u8],
    secrets: Option<&Secrets>,
) -> Result<HeaderMap, InvalidHeaderValue> {
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: &str| {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value)?);
        Ok(())
    };
    set("webhook-id", id)?;
    set("webhook-timestamp", &timestamp_s.to_string())?;
    if let Some(secrets) = secrets {
        set(
            "webhook-signature",
            &secrets.signature(id, timestamp_s, body),
        )?;
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::notifier::message::tests::bleed;

    fn signed(secret: &str, id: &str, timestamp_s: i64, body: &str) -> String {
        let secrets = Secrets::read(secret).unwrap();
        secrets.signature(id, timestamp_s, body.as_bytes())
    }

    #[test]
    fn the_specifications_example_has_its_signature() {
        // The vector of the reference libraries; `openssl dgst -sha256 -mac HMAC` gives the same.
        assert_eq!(
            signed(
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn while_secrets_change_both_sign() {
        // Each made with `openssl dgst -sha256 -hmac`.
        assert_eq!(
            signed("old new", "d1", 1_700_000_000, "{}"),
            "v1,/Dre+qXldcyRsha0wPPCPRrLP5f0skI3GlWxZC/MFp4= v1,USzuZL7XvpLCF8o+v0/bXNXXa0eJjK5SpA24o/UD7RI="
        );
    }

    #[test]
    fn a_secret_that_is_no_key_is_refused() {
        assert_eq!(Secrets::read(" ").unwrap_err(), SecretError::Empty);
        assert_eq!(Secrets::read("whsec_").unwrap_err(), SecretError::Empty);
        assert_eq!(Secrets::read("whsec_?").unwrap_err(), SecretError::Base64);
        assert_eq!(
            format!("{:?}", Secrets::read("hush hush").unwrap()),
            "2 secrets",
            "keys are not printed"
        );
    }

    #[test]
    fn the_body_says_what_happened_and_when() {
        let alert = bleed("opened").to_string();
        let body = body("opened", &alert, 1_700_000_000_000_000).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["type"], "finding.opened");
        assert_eq!(body["timestamp"], "2023-11-14T22:13:20Z");
        assert_eq!(body["data"].to_string(), alert);
    }

    #[test]
    fn an_attempt_has_id_time_and_signature() {
        let named = |secrets: Option<&Secrets>| {
            let headers = headers("d1", 1_700_000_000, b"{}", secrets).unwrap();
            let named = headers
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
            named.collect::<Vec<_>>()
        };
        let unsigned = ["webhook-id: d1", "webhook-timestamp: 1700000000"];
        assert_eq!(named(None), unsigned);
        let signed = named(Some(&Secrets::read("old").unwrap()));
        assert_eq!(
            signed[2],
            "webhook-signature: v1,/Dre+qXldcyRsha0wPPCPRrLP5f0skI3GlWxZC/MFp4="
        );
    }
}
