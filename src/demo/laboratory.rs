//! Benchmarks and load tests: several runs a release on one kind of machine.

use collectors::histogram::Histogram;
use collectors::report::{Buckets, Context, Fingerprint, Observation, Payload, Samples, Source};

use super::observation;
use super::random::Noise;
use super::releases::{Release, SECOND_US};
use super::story::{self, Level};

/// Runs a release; from v2.20 on enough for a gate to settle its margin of 2 %.
const RUNS_EARLY: usize = 5;
const RUNS: usize = 8;
const MORE_RUNS_FROM: usize = 20;
/// The first run starts six minutes after the build, the others five minutes apart.
const FIRST_RUN_US: i64 = 6 * 60 * SECOND_US;
const RUN_EVERY_US: i64 = 5 * 60 * SECOND_US;
/// Spread between runs of the same release, as the logarithm's standard deviation.
const RUN_SPREAD: f64 = 0.005;
/// Spread of one execution within a run, for benchmarks and for requests.
const BENCH_SPREAD: f64 = 0.012;
const REQUEST_SPREAD: f64 = 0.09;
/// One request in thirty waits for a connection.
const SLOW_SHARE: f64 = 0.03;
const SLOW_FACTOR: f64 = 2.2;
/// Executions a run of a key benchmark and of any other; requests a run of a load test.
const KEY_EXECUTIONS: usize = 30;
const EXECUTIONS: usize = 10;
const REQUESTS: usize = 1_200;

/// What one run measures: each suite is one upload, since a workload belongs to a whole upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suite {
    /// The import and the small benchmarks.
    Benchmarks,
    /// The whole checkout, whose cart changed once.
    Cart,
    /// Requests under load.
    Load,
}

/// One suite's run of one release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    release: usize,
    number: usize,
    suite: Suite,
    pub(super) time_us: i64,
}

/// All runs of all releases.
pub(super) fn runs(releases: &[Release]) -> Vec<Run> {
    let of_release = |(release, built): (usize, &Release)| {
        let count = if release < MORE_RUNS_FROM {
            RUNS_EARLY
        } else {
            RUNS
        };
        let built_us = built.time_us;
        (0..count).flat_map(move |number| {
            [Suite::Benchmarks, Suite::Cart, Suite::Load].map(|suite| Run {
                release,
                number,
                suite,
                time_us: built_us + FIRST_RUN_US + number as i64 * RUN_EVERY_US,
            })
        })
    };
    releases.iter().enumerate().flat_map(of_release).collect()
}

/// What one run measured.
pub(super) fn results(
    seed: u64,
    releases: &[Release],
    run: Run,
) -> Option<(Context, Vec<Observation>)> {
    let release = releases.get(run.release)?;
    let observations: Vec<Observation> = match run.suite {
        Suite::Benchmarks => {
            let import = bench(
                seed,
                run,
                "parse_import/large",
                story::PARSE_IMPORT,
                KEY_EXECUTIONS,
            );
            let others = story::OTHER_BENCHMARKS
                .iter()
                .map(|(name, level)| bench(seed, run, name, *level, EXECUTIONS));
            std::iter::once(import).chain(others).collect()
        }
        Suite::Cart => {
            vec![bench(
                seed,
                run,
                "checkout/total",
                story::CHECKOUT_TOTAL,
                KEY_EXECUTIONS,
            )]
        }
        Suite::Load => LOAD_TESTS
            .iter()
            .filter(|test| (test.runs)(run.release, run.number))
            .filter_map(|test| load(seed, run, test))
            .collect(),
    };
    (!observations.is_empty()).then(|| (context(release, run), observations))
}

/// One request under load.
struct LoadTest {
    flow: &'static str,
    level: Level,
    requests: usize,
    /// Whether it ran, by release and number of the run.
    runs: fn(usize, usize) -> bool,
}

const LOAD_TESTS: &[LoadTest] = &[
    LoadTest {
        flow: "POST /checkout",
        level: story::CHECKOUT_LATENCY,
        requests: REQUESTS,
        runs: |_, _| true,
    },
    LoadTest {
        flow: "POST /login",
        level: story::LOGIN,
        requests: REQUESTS,
        runs: |release, _| release != story::LOGIN_MISSING,
    },
    LoadTest {
        flow: "POST /order",
        level: story::PLACE_ORDER,
        requests: REQUESTS,
        runs: |_, _| true,
    },
    // Two runs of five requests each: not enough to say anything.
    LoadTest {
        flow: "POST /refund",
        level: story::REFUND,
        requests: 5,
        runs: |release, number| matches!(release, 36 | 38) && number == 0,
    },
];

fn context(release: &Release, run: Run) -> Context {
    let (suite, source, tool) = match run.suite {
        Suite::Benchmarks => ("bench", Source::Bench, "hyperfine 1"),
        Suite::Cart => ("cart", Source::Bench, "hyperfine 1"),
        Suite::Load => ("load", Source::Load, "wrk2 4"),
    };
    let workload = match run.suite {
        Suite::Cart if run.release < story::CART_EPOCH => "cart of 3",
        Suite::Cart => "cart of 5",
        Suite::Benchmarks | Suite::Load => "shop 1",
    };
    let cpu = if run.release < story::MACHINE_EPOCH {
        "EPYC 7763"
    } else {
        "EPYC 9654"
    };
    Context {
        source: Some(source),
        release: Some(release.name.clone()),
        commit: Some(release.commit.clone()),
        parent: release.parent.clone(),
        branch: Some(release.branch.clone()),
        testbed: Some("ci-x64".to_owned()),
        run: Some(format!("{}-{suite}", 1_000 + 10 * run.release + run.number)),
        workload: Some(workload.to_owned()),
        harness: Some("ci 1".to_owned()),
        time_us: Some(run.time_us),
        fingerprint: Fingerprint {
            os: Some("linux 6".to_owned()),
            arch: Some("x86_64".to_owned()),
            cpu: Some(cpu.to_owned()),
            tool: Some(tool.to_owned()),
            runtime: None,
        },
        ..Context::default()
    }
}

/// Noise of one series in one run; the first draw is the run's own factor.
fn noise(seed: u64, flow: &str, run: Run) -> Noise {
    Noise::named(
        seed,
        &format!("{flow} of v2.{} run {}", run.release, run.number),
    )
}

fn bench(seed: u64, run: Run, flow: &str, level: Level, executions: usize) -> Observation {
    let mut noise = noise(seed, flow, run);
    let p75_ms = level.at(run.release) * noise.factor(RUN_SPREAD);
    let values = (0..executions)
        .map(|_| p75_ms * (BENCH_SPREAD * (noise.normal() - 0.674)).exp() / 1_000.0)
        .collect();
    let payload = Payload::Samples(Samples {
        values,
        iterations: None,
    });
    observation(flow, "wall_time", "s", payload)
}

/// The latencies of a load test, as the HDR histogram of microseconds that its tool writes.
fn load(seed: u64, run: Run, test: &LoadTest) -> Option<Observation> {
    let mut noise = noise(seed, test.flow, run);
    let mut p75_us = test.level.at(run.release) * 1_000.0 * noise.factor(RUN_SPREAD);
    if test.flow == "POST /order" && (run.release, run.number) == story::WILD_RUN {
        p75_us *= story::WILD_RUN_FACTOR;
    }
    let latencies = (0..test.requests).map(|_| {
        let body = p75_us * (REQUEST_SPREAD * (noise.normal() - 0.674)).exp();
        let latency = if noise.uniform() < SLOW_SHARE {
            body * SLOW_FACTOR
        } else {
            body
        };
        latency.round() as u64
    });
    let histogram = Histogram::from_values(latencies).ok()?;
    let payload = Payload::Buckets(Buckets::Hdr {
        histogram,
        unit_ratio: 1.0,
        significant_digits: 3,
    });
    Some(observation(test.flow, "latency", "us", payload))
}
