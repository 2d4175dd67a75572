//! `longwatch backtest`: how changes of known size would have fared in a series' own history.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::Method;
use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::blindspots::{Listed, all_series, read};
use super::client::{Client, Content};
use super::connection::Connection;
use super::detect;
use super::moment::Moment;
use super::output::{say, say_json};
use super::{Exit, Failure, block_on};
use crate::detector;
use crate::stats::Direction;
use crate::stats::backtest::{Backtest, Fared, Injected, Plan, backtest};
use crate::stats::detections::{Series, standard_error_of};
use crate::stats::epoch::boundaries;
use crate::stats::judge::Settings;
use crate::stats::wording::{plural, size};

/// Replays history with steps and bleeds put in: hit rate, delay, false alarms
#[derive(clap::Args)]
#[command(
    after_help = "Each series' own noise of its running epoch is replayed run by run, as production would see it: first as it is, \
                  where every finding is a false alarm, then with changes of known size at random places. A step counts as told \
                  within a quarter; a bleed climbs for a quarter and counts within two."
)]
pub(crate) struct Args {
    /// CSV files or directories as `detect` takes them; without, the stored history of the project
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only series of this flow
    #[arg(long, value_name = "NAME", conflicts_with = "paths")]
    flow: Option<String>,
    /// Size of a step in per cent; may be repeated
    #[arg(long = "step", value_name = "PERCENT", default_values_t = [1.0, 2.0, 5.0, 10.0], value_parser = percent)]
    steps: Vec<f64>,
    /// Size of a bleed in per cent in all; may be repeated
    #[arg(long = "bleed", value_name = "PERCENT", default_values_t = [2.0, 5.0, 10.0], value_parser = percent)]
    bleeds: Vec<f64>,
    /// How often each is put in
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// The same seed gives the same places
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 1_000.0 => Ok(percent),
        _ => Err("give a size between 0 and 1000".to_owned()),
    }
}

/// A series to test, and what is worth telling of it.
struct Subject {
    name: String,
    series: Series,
    settings: Settings,
}

pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let subjects = if args.paths.is_empty() {
        block_on(stored(&args))?
    } else {
        let files = detect::series_in(&args.paths)?;
        let offline = |(name, series)| Subject {
            name,
            series,
            settings: detector::settings(Direction::Unknown),
        };
        files.into_iter().map(offline).collect()
    };
    let plan = Plan {
        steps_pct: sorted(&args.steps),
        bleeds_pct: sorted(&args.bleeds),
        rounds: usize::from(args.rounds),
        seed: args.seed,
    };
    let found = tested(&subjects, &plan);
    if args.json {
        let by_name: serde_json::Map<_, _> = subjects
            .iter()
            .zip(&found)
            .map(|(subject, found)| (subject.name.clone(), json!(found)))
            .collect();
        say_json(&by_name)?;
        return Ok(Exit::Ok);
    }
    for (subject, found) in subjects.iter().zip(found) {
        match found {
            Some(found) => lines(&subject.name, &found).iter().try_for_each(say)?,
            None => say(format!("{}: too little history", subject.name))?,
        }
    }
    Ok(Exit::Ok)
}

fn sorted(sizes: &[f64]) -> Vec<f64> {
    let mut sizes = sizes.to_vec();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    sizes
}

/// Tests all subjects, as many at a time as there are processors.
fn tested(subjects: &[Subject], plan: &Plan) -> Vec<Option<Backtest>> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(vec![None; subjects.len()]));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(subjects.len()) {
            scope.spawn(|| {
                while let Some((i, subject)) = {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    subjects.get(i).map(|subject| (i, subject))
                } {
                    let identities = subject.series.identities();
                    let one = backtest(
                        &subject.series.rows(),
                        &boundaries(&identities),
                        &subject.settings,
                        plan,
                    );
                    if let Ok(mut found) = found.lock() {
                        found[i] = one;
                    }
                }
            });
        }
    });
    found.into_inner().unwrap_or_default()
}

/// A point of a series as far as a backtest needs it.
#[derive(Deserialize)]
struct Unit {
    #[serde(deserialize_with = "moment")]
    time: Moment,
    release: String,
    value: Option<f64>,
    lower: Option<f64>,
    upper: Option<f64>,
    count: u64,
    epoch: u32,
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

#[derive(Deserialize)]
struct Points {
    points: Vec<Unit>,
}

/// The project's series with all their evidence.
async fn stored(args: &Args) -> Result<Vec<Subject>, Failure> {
    let client = Client::new(&args.connection)?;
    let listed = all_series(&client, args.flow.as_deref()).await?;
    // What it takes to be told depends on how many series the project has, whichever are tested.
    let series_in_all = match args.flow {
        Some(_) => all_series(&client, None).await?.len(),
        None => listed.len(),
    };
    let mut subjects = Vec::new();
    for listed in listed {
        let by = [("by".to_owned(), "evidence".to_owned())];
        let address = client.address(&["series", &listed.id, "points"], &by);
        let answer = client
            .send(Method::GET, address, Content::default())
            .await?;
        let points: Points = read(answer)?;
        let mut series = Series::default();
        for unit in points.points {
            series.times_us.push(unit.time.as_microsecond());
            series.releases.push(unit.release);
            series.values.push(unit.value.unwrap_or(f64::NAN));
            series.counts.push(Some(unit.count));
            let range = unit.lower.zip(unit.upper);
            let se = range.map(|(lower, upper)| standard_error_of(lower, upper));
            series.ses.push(se);
            series.envs.push(None);
            series.epochs.push(Some(unit.epoch.to_string()));
        }
        subjects.push(Subject {
            name: name(&listed),
            series,
            settings: detector::settings_among(listed.direction, series_in_all),
        });
    }
    if subjects.is_empty() {
        return Err(Failure::usage(
            "there is no series to test",
            "check --project and --flow",
        ));
    }
    Ok(subjects)
}

fn name(listed: &Listed) -> String {
    let labels = listed.labels.iter().map(|(k, v)| format!("{k}={v}"));
    let parts = [
        &listed.flow,
        &listed.metric,
        &listed.source,
        &listed.testbed,
    ]
    .into_iter()
    .filter(|part| !part.is_empty())
    .cloned();
    parts.chain(labels).collect::<Vec<_>>().join(" · ")
}

fn lines(name: &str, found: &Backtest) -> Vec<String> {
    let head = format!(
        "{name}: {} in {:.1} years, noise ±{}",
        plural(found.rows as u64, "row"),
        found.years,
        size(found.noise_pct)
    );
    let alarms = format!(
        "  {:<14} {} in {:.1} years of replays, {:.2} a year",
        "nothing put in",
        plural(found.false_alarms as u64, "false alarm"),
        found.years * found.quiet_replays as f64,
        found.false_alarms_per_year
    );
    let fared = found.fared.iter().map(line);
    [head, alarms].into_iter().chain(fared).collect()
}

fn line(fared: &Fared) -> String {
    let kind = match fared.kind {
        Injected::Step => "step",
        Injected::Bleed => "bleed",
    };
    let delay = match (fared.delay_days, fared.delay_releases) {
        (Some(days), Some(releases)) => {
            format!(", half of them after {days:.0} days, {releases:.0} releases")
        }
        _ => String::new(),
    };
    let change = format!("{kind} of {}", size(fared.size_pct));
    format!(
        "  {change:<14} {} of {} told{delay}",
        fared.told, fared.tried
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backtest_reads_as_a_table() {
        let fared = Fared {
            kind: Injected::Step,
            size_pct: 2.0,
            tried: 20,
            told: 18,
            delay_rows: Some(12.0),
            delay_days: Some(12.0),
            delay_releases: Some(4.0),
        };
        let unseen = Fared {
            kind: Injected::Bleed,
            told: 0,
            delay_rows: None,
            delay_days: None,
            delay_releases: None,
            ..fared
        };
        let found = Backtest {
            rows: 274,
            years: 0.75,
            noise_pct: 0.84,
            quiet_replays: 20,
            false_alarms: 1,
            false_alarms_per_year: 0.066,
            fared: vec![fared, unseen],
        };
        assert_eq!(
            lines("checkout · lcp", &found),
            [
                "checkout · lcp: 274 rows in 0.8 years, noise ±0.84\u{a0}%",
                "  nothing put in 1 false alarm in 15.0 years of replays, 0.07 a year",
                "  step of 2\u{a0}%    18 of 20 told, half of them after 12 days, 4 releases",
                "  bleed of 2\u{a0}%   0 of 20 told",
            ]
        );
    }

    #[test]
    fn sizes_are_positive_and_come_in_order() {
        assert!(percent("0").is_err() && percent("-1").is_err() && percent("x").is_err());
        assert_eq!(sorted(&[5.0, 1.0, 5.0]), [1.0, 5.0]);
    }
}
