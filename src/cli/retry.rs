//! Tries again while the server is away or busy: waits that double, each cut at random so that clients spread out.

use std::future::Future;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::ClientError;

/// How long to go on trying.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    total: Duration,
    first: Duration,
    longest: Duration,
}

impl Patience {
    /// Half a second at first, 15 s at most between two tries: a restart is bridged quickly, an outage not hammered.
    pub(crate) fn of(total: Duration) -> Self {
        Self {
            total,
            first: Duration::from_millis(500),
            longest: Duration::from_secs(15),
        }
    }

    /// The wait before try number `attempt` (from 1); `draw` is uniform in 0..1. "Equal jitter": half is certain.
    fn wait(self, attempt: u32, asked: Option<Duration>, draw: f64) -> Duration {
        let doubled = self
            .first
            .saturating_mul(1 << attempt.saturating_sub(1).min(16))
            .min(self.longest);
        let jittered = doubled.mul_f64(0.5 + 0.5 * draw.clamp(0.0, 1.0));
        match asked {
            Some(asked) => asked.max(jittered.min(self.longest)),
            None => jittered,
        }
    }
}

/// The first answer that is not worth another try, or the last error when patience ends.
///
/// A wait that the server asks for is kept, unless it is longer than the patience that is left: then there is no use
/// in waiting at all.
pub(crate) async fn with_retries<F>(
    patience: Patience,
    mut send: impl FnMut() -> F,
) -> Result<Value, ClientError>
where
    F: Future<Output = Result<Value, ClientError>>,
{
    let started = Instant::now();
    let mut attempt = 0_u32;
    loop {
        attempt = attempt.saturating_add(1);
        let error = match send().await {
            Err(error) if error.is_passing() => error,
            settled => return settled,
        };
        let asked = match &error {
            ClientError::Busy { after, .. } => *after,
            _ => None,
        };
        let wait = patience.wait(attempt, asked, rand::random());
        if started.elapsed() + wait > patience.total {
            return Err(error);
        }
        if attempt == 1 {
            eprintln!(
                "longwatch: {error}; trying again for {} s",
                patience.total.as_secs()
            );
        }
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        total: Duration::from_secs(60),
        first: Duration::from_millis(500),
        longest: Duration::from_secs(15),
    };

    #[test]
    fn waits_double_up_to_the_longest_and_half_of_each_is_certain() {
        let waits =
            |draw| [1, 2, 3, 9].map(|attempt| PATIENCE.wait(attempt, None, draw).as_millis());
        assert_eq!(waits(1.0), [500, 1_000, 2_000, 15_000]);
        assert_eq!(waits(0.0), [250, 500, 1_000, 7_500]);
        assert_eq!(PATIENCE.wait(u32::MAX, None, 1.0), PATIENCE.longest);
    }

    #[test]
    fn the_server_may_ask_for_more_but_not_for_less() {
        assert_eq!(
            PATIENCE.wait(1, Some(Duration::from_secs(40)), 1.0),
            Duration::from_secs(40)
        );
        assert_eq!(
            PATIENCE.wait(1, Some(Duration::ZERO), 1.0),
            Duration::from_millis(500)
        );
    }
}
