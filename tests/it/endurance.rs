//! How long a test of endurance goes on, on which seed, and what it tells in the end. In its short form it is a test like
//! any other; `tests/endure` runs the long ones and makes a table of what they tell.

use std::time::{Duration, Instant};

use longwatch::stats::seeded::Seeded;

/// One test of endurance on one engine.
pub(crate) struct Endurance {
    form: &'static str,
    engine: &'static str,
    began: Instant,
    lasts: Duration,
    seed: u64,
}

/// What came of all that was sent.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Tally {
    pub(crate) acknowledged: usize,
    pub(crate) refused: usize,
    pub(crate) unknown: usize,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
}

impl Tally {
    /// Takes in how much should have been counted in one place, and how much was.
    pub(crate) fn compare(&mut self, expected: u64, found: u64) {
        self.lost += expected.saturating_sub(found);
        self.doubled += found.saturating_sub(expected);
    }
}

impl Endurance {
    /// Begins a test: so long in its short form, and on a seed that is always the same; `LONGWATCH_TEST_LONG` minutes in
    /// its long form, on the seed `LONGWATCH_TEST_SEED` or a new one.
    pub(crate) fn begin(form: &'static str, engine: &'static str, short: Duration) -> Endurance {
        let long = minutes();
        let seed = match std::env::var("LONGWATCH_TEST_SEED") {
            Ok(seed) => seed.parse().expect("LONGWATCH_TEST_SEED is a number"),
            Err(_) if long.is_some() => u64::from(rand::random::<u32>()),
            Err(_) => 1,
        };
        let lasts = long.unwrap_or(short);
        println!("{form} on {engine}: {lasts:?} from seed {seed}");
        Endurance {
            form,
            engine,
            began: Instant::now(),
            lasts,
            seed,
        }
    }

    /// Whether this is the long form.
    pub(crate) fn is_long() -> bool {
        minutes().is_some()
    }

    /// Whether its time is not over yet.
    pub(crate) fn goes_on(&self) -> bool {
        self.began.elapsed() < self.lasts
    }

    /// How long it lasts in all.
    pub(crate) fn lasts(&self) -> Duration {
        self.lasts
    }

    /// The random numbers of its seed.
    pub(crate) fn draws(&self) -> Seeded {
        Seeded::new(self.seed)
    }

    /// Tells what came of it; nothing may be lost or doubled.
    pub(crate) fn tell(&self, tally: Tally) {
        let Tally {
            acknowledged,
            refused,
            unknown,
            lost,
            doubled,
        } = tally;
        let (form, engine, seed) = (self.form, self.engine, self.seed);
        let minutes = self.began.elapsed().as_secs_f64() / 60.0;
        println!(
            "endured|{form}|{engine}|{minutes:.1}|{seed}|{acknowledged}|{refused}|{unknown}|{lost}|{doubled}"
        );
        assert!(acknowledged > 0, "{form} on {engine}: nothing was stored");
        assert_eq!((lost, doubled), (0, 0), "{form} on {engine}, seed {seed}");
    }
}

/// How long the long forms last, where they are asked for.
fn minutes() -> Option<Duration> {
    let minutes = std::env::var("LONGWATCH_TEST_LONG").ok()?;
    let minutes: f64 = minutes
        .parse()
        .expect("LONGWATCH_TEST_LONG is a number of minutes");
    Some(Duration::from_secs_f64(minutes * 60.0))
}
