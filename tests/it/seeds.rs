//! Seeds of random tests: fixed in the short form, new ones for as long as asked in the long one.

use std::time::{Duration, Instant};

/// One seed and no other, where set: to see a failure again.
const SEED: &str = "LONGWATCH_TEST_SEED";
/// Minutes for which new seeds are tried, where set.
const LONG: &str = "LONGWATCH_TEST_LONG";

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable}={text:?} is no whole number")))
}

/// Runs a test on fixed seeds, or as the environment says. Each is printed before it begins.
pub(crate) async fn each_seed(fixed: &[u64], test: impl AsyncFn(u64)) {
    let run = async |seed: u64| {
        println!("{SEED}={seed}");
        test(seed).await;
    };
    if let Some(seed) = number(SEED) {
        return run(seed).await;
    }
    let Some(minutes) = number(LONG) else {
        for seed in fixed {
            run(*seed).await;
        }
        return;
    };
    let (began, mut seeds) = (Instant::now(), 0);
    let first = u64::try_from(longwatch::clock::now_us()).unwrap();
    while began.elapsed() < Duration::from_secs(60 * minutes) {
        run(first + seeds).await;
        seeds += 1;
    }
    println!("{seeds} seeds in {:?}", began.elapsed());
}

/// One of several things.
pub(crate) fn pick<'a, T>(random: &mut longwatch::stats::seeded::Seeded, from: &'a [T]) -> &'a T {
    &from[below(random, from.len())]
}

/// A number below another.
pub(crate) fn below(random: &mut longwatch::stats::seeded::Seeded, end: usize) -> usize {
    (random.bits() % end as u64) as usize
}
