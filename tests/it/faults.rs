//! Everything that the service does with its database fails once at every step: the database's answer is lost, its file
//! can't be written, or the server dies in between. What was acknowledged is there exactly once, and all work is done in
//! the end, as if nothing had been.
//!
//! The faults come from outside: on PostgreSQL from a proxy that counts the rounds which the program asks for, on SQLite
//! from a library, loaded into the real program, that counts the calls which change the database's files.
//!
//! `cargo test` takes a sample of the steps (`LONGWATCH_TEST_SEED` repeats one). With `LONGWATCH_TEST_LONG` set to a
//! number of minutes all of them are gone through, as far as the time goes; `LONGWATCH_TEST_STEP="Upload Cut 7"` repeats
//! a single one.

mod cases;
mod control;
mod proxy;
mod shop;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::Value;
use tokio::task::JoinSet;

use cases::Case;
use shop::Template;

/// What comes at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The call fails: input or output error.
    InputOutput,
    /// The call fails: no space left.
    NoSpace,
    /// The connection breaks before the database hears.
    Cut,
    /// The database does what it was asked, and the connection breaks before its answer is heard.
    CutAnswer,
    /// The database hears after the service has given up waiting.
    Late,
    /// The process is killed before.
    DieBefore,
    /// The process is killed after.
    DieAfter,
    /// The process is killed when half of it is written.
    DieHalfway,
}

/// Faults of SQLite's files.
const OF_FILES: [Fault; 5] = [
    Fault::InputOutput,
    Fault::NoSpace,
    Fault::DieBefore,
    Fault::DieAfter,
    Fault::DieHalfway,
];
/// Faults on the way to PostgreSQL.
const OF_CONNECTIONS: [Fault; 5] = [
    Fault::Cut,
    Fault::CutAnswer,
    Fault::Late,
    Fault::DieBefore,
    Fault::DieAfter,
];

/// Steps of each case that the short form takes.
const SAMPLE: usize = 2;
/// Steps under way at once: most of their time they wait.
const AT_ONCE: usize = 4;
/// After so many failures nothing new is learnt.
const ENOUGH_FAILURES: usize = 25;

/// A case as it goes where nothing fails.
struct Known {
    template: Template,
    steps: u64,
    document: Value,
}

impl Known {
    async fn of(case: Case, engine: &'static str) -> Known {
        let template = case.template(engine).await;
        let mut shop = template.open().await;
        case.serve(&shop).await;
        shop.count_from_here();
        case.act(&mut shop).await;
        let document = shop
            .settles("the end", |document| case.is_done(document))
            .await;
        let steps = shop.count();
        shop.go_on().await;
        assert_eq!(shop.document().await, document, "{case:?} stays done");
        shop.is_sound(&document).await;
        shop.leave().await;
        Known {
            template,
            steps,
            document,
        }
    }
}

type Step = (Case, Fault, u64);

/// Goes through a case with one fault; whether it came.
async fn spoil(known: &Known, (case, fault, number): Step) -> bool {
    let mut shop = known.template.open().await;
    case.serve(&shop).await;
    shop.arm(fault, number);
    case.act(&mut shop).await;
    let document = shop
        .settles("the end", |document| *document == known.document)
        .await;
    shop.go_on().await;
    assert_eq!(shop.document().await, document, "it stays so");
    shop.is_sound(&document).await;
    let has_fired = shop.has_fired();
    shop.leave().await;
    has_fired
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The steps to go through, in their order, and until when. Every number comes with one fault before any comes with
/// another.
fn plan(known: &BTreeMap<usize, Arc<Known>>, engine: &str) -> (Vec<Step>, Option<Instant>) {
    let faults = if engine == "SQLite" {
        OF_FILES
    } else {
        OF_CONNECTIONS
    };
    let seed =
        variable("LONGWATCH_TEST_SEED").map_or_else(rand::random, |seed| seed.parse().unwrap());
    let minutes = variable("LONGWATCH_TEST_LONG").map(|minutes| minutes.parse::<f64>().unwrap());
    println!("{engine}: LONGWATCH_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut rounds: Vec<Vec<Step>> = vec![Vec::new(); faults.len()];
    for (at, known) in known {
        let case = Case::ALL[*at];
        let mut of_case: Vec<(usize, Step)> = Vec::new();
        for number in 1..=known.steps {
            let mut kinds: Vec<Fault> = faults.to_vec();
            kinds.retain(|fault| case.takes(*fault, engine));
            kinds.shuffle(&mut random);
            let steps = kinds.into_iter().map(|fault| (case, fault, number));
            of_case.extend(steps.enumerate());
        }
        if let Some(one) = variable("LONGWATCH_TEST_STEP") {
            of_case
                .retain(|(_, (case, fault, number))| format!("{case:?} {fault:?} {number}") == one);
        } else if minutes.is_none() {
            of_case.shuffle(&mut random);
            of_case.truncate(SAMPLE);
        }
        for (round, step) in of_case {
            rounds[round].push(step);
        }
    }
    for round in &mut rounds {
        round.shuffle(&mut random);
    }
    let steps = rounds.concat();
    let until = minutes.map(|minutes| Instant::now() + Duration::from_secs_f64(minutes * 60.0));
    (steps, until)
}

async fn sweep(engine: &'static str) {
    let only = variable("LONGWATCH_TEST_STEP");
    let mut learning = JoinSet::new();
    for (at, case) in Case::ALL.into_iter().enumerate() {
        let is_asked = |only: &String| only.split(' ').next() == Some(&format!("{case:?}"));
        if only.as_ref().is_none_or(is_asked) {
            learning.spawn(async move { (at, Arc::new(Known::of(case, engine).await)) });
        }
    }
    let known: BTreeMap<usize, Arc<Known>> = learning.join_all().await.into_iter().collect();
    for (at, known) in &known {
        println!("{engine}: {:?} has {} steps", Case::ALL[*at], known.steps);
    }
    let began = Instant::now();
    let (steps, until) = plan(&known, engine);
    let (all, mut done, mut came, mut failures) = (steps.len(), 0, 0, Vec::new());
    let mut steps = steps.into_iter();
    let mut under_way = JoinSet::new();
    let mut names = BTreeMap::new();
    loop {
        let is_over = until.is_some_and(|until| Instant::now() > until);
        while under_way.len() < AT_ONCE && !is_over && failures.len() < ENOUGH_FAILURES {
            let Some(step) = steps.next() else { break };
            let at = Case::ALL.iter().position(|case| *case == step.0).unwrap();
            let known = known[&at].clone();
            let task = under_way.spawn(async move { spoil(&known, step).await });
            names.insert(task.id(), format!("{:?} {:?} {}", step.0, step.1, step.2));
        }
        match under_way.join_next_with_id().await {
            None => break,
            Some(Ok((_, has_fired))) => came += usize::from(has_fired),
            Some(Err(error)) => {
                let name = &names[&error.id()];
                let why = error.into_panic();
                let why = why.downcast_ref::<String>().cloned().unwrap_or_default();
                eprintln!("{engine}: LONGWATCH_TEST_STEP=\"{name}\": {why}");
                failures.push(name.clone());
            }
        }
        done += 1;
    }
    println!(
        "{engine}: {done} of {all} steps in {:?}; the fault came in {came}",
        began.elapsed()
    );
    for known in known.into_values() {
        Arc::into_inner(known).unwrap().template.remove().await;
    }
    assert!(failures.is_empty(), "{engine}: {failures:#?}");
}

/// SQLite ends a transaction by itself when the disk is full or fails, and the next one must be able to begin.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_once_stops_no_later_one() {
    for case in [Case::Upload, Case::PageViews] {
        let known = Known::of(case, "SQLite").await;
        for fault in [Fault::InputOutput, Fault::NoSpace] {
            for number in [2, 6] {
                assert!(spoil(&known, (case, fault, number)).await);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_may_fail_and_nothing_is_lost_or_doubled_on_sqlite() {
    sweep("SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_may_fail_and_nothing_is_lost_or_doubled_on_postgresql() {
    sweep("PostgreSQL").await;
}
