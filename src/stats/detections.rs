//! From a CSV series to the changes found in it, in the shape that detection scorers read.
//!
//! A series is `time,release,value[,lower,upper][,count][,env][,epoch]`, one row a run, oldest first; `time` in seconds since the epoch
//! or as a date and time of RFC 3339. A changed `env` is a changed machine, a changed `epoch` something else measured. Assumes nothing of the direction: up and down are
//! both told. Smallest file: a header. Cannot see more than the columns say.

use std::collections::BTreeMap;

use serde::Serialize;

use super::common_mode::{Member, judge_together};
use super::epoch::{Identity, boundaries};
use super::judge::{Change, Kind, Row, Settings, judge};
use super::percentile::standard_error;
use super::replay::{Finding, Replayed, replay, replay_together};
use super::{CONFIDENCE, Interval};

/// Why a CSV series cannot be read: correct the field named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, {field}: {message}")]
pub struct CsvError {
    /// Line in the file, from 1.
    pub line: usize,
    /// The column, or "header".
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// A series as read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// Times, microseconds since the epoch in UTC.
    pub times_us: Vec<i64>,
    /// Release names.
    pub releases: Vec<String>,
    /// Values; an empty field is not a number and is passed over by the judge.
    pub values: Vec<f64>,
    /// Observations behind each value, where the column is there.
    pub counts: Vec<Option<u64>>,
    /// The standard error of each value, where its range is there.
    pub ses: Vec<Option<f64>>,
    /// The machine of each row, where stated.
    pub envs: Vec<Option<String>>,
    /// The epoch of each row, where stated.
    pub epochs: Vec<Option<String>>,
}

/// One detection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Detection {
    /// 0-based row of the first point of the new regime.
    pub index: usize,
    /// `step`, `bleed` or `epoch`; an improvement is a `step` of negative effect.
    pub kind: &'static str,
    /// 0-based row of the newest point known when it was first told; in hindsight the last row.
    pub detected_at: usize,
    /// Signed relative change in per cent.
    pub effect_pct: f64,
    /// How sure, 0 to 1.
    pub confidence: f64,
    /// Why, in words.
    pub reason: String,
}

/// Reads a CSV series.
///
/// # Errors
/// [`CsvError`] names the line and the column that cannot be read.
pub fn read(text: &str) -> Result<Series, CsvError> {
    let mut lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let header: Vec<String> = lines
        .next()
        .map(|(_, line)| fields(line.trim_start_matches('\u{feff}')))
        .unwrap_or_default();
    let column = |name: &str| {
        header
            .iter()
            .position(|h| h.trim().eq_ignore_ascii_case(name))
    };
    let required = |name: &str| {
        let message =
            format!("there is no column {name}; expected time,release,value[,count][,env][,epoch]");
        column(name).ok_or(CsvError {
            line: 1,
            field: "header".to_owned(),
            message,
        })
    };
    let (time, release, value) = (required("time")?, required("release")?, required("value")?);
    let (lower, upper) = (column("lower"), column("upper"));
    let (count, env, epoch) = (column("count"), column("env"), column("epoch"));
    let mut series = Series::default();
    for (number, line) in lines {
        let cells = fields(line);
        let cell = |i: usize| cells.get(i).map_or("", |c| c.trim());
        let wrong = |field: &str, message: String| CsvError {
            line: number + 1,
            field: field.to_owned(),
            message,
        };
        series.times_us.push(time_us(cell(time)).ok_or_else(|| {
            wrong(
                "time",
                format!("{:?} is neither seconds nor RFC 3339", cell(time)),
            )
        })?);
        series.releases.push(cell(release).to_owned());
        series.values.push(
            number_of(cell(value))
                .ok_or_else(|| wrong("value", format!("{:?} is not a number", cell(value))))?,
        );
        let counted = count.map(cell).filter(|c| !c.is_empty());
        let parsed = counted
            .map(|c| {
                c.parse()
                    .map_err(|_| wrong("count", format!("{c:?} is not a count")))
            })
            .transpose()?;
        series.counts.push(parsed);
        let bound = |field: &str, column: Option<usize>| {
            let cell = column.map(cell).filter(|cell| !cell.is_empty());
            cell.map(|cell| {
                number_of(cell).ok_or_else(|| wrong(field, format!("{cell:?} is not a number")))
            })
            .transpose()
        };
        let bounds = (bound("lower", lower)?, bound("upper", upper)?);
        series.ses.push(match bounds {
            (Some(low), Some(high)) if high < low => {
                return Err(wrong(
                    "upper",
                    format!("{high} is below the lower end {low}"),
                ));
            }
            (Some(low), Some(high)) => Some(standard_error_of(low, high)),
            _ => None,
        });
        let text = |column: Option<usize>| {
            let text = column.map(cell).filter(|text| !text.is_empty());
            text.map(str::to_owned)
        };
        series.envs.push(text(env));
        series.epochs.push(text(epoch));
    }
    Ok(series)
}

/// Of a value in the middle of its range at [`CONFIDENCE`].
pub fn standard_error_of(lower: f64, upper: f64) -> f64 {
    let value = f64::midpoint(lower, upper);
    let range = Interval {
        value,
        lower,
        upper,
    };
    standard_error(&range, CONFIDENCE)
}

fn number_of(cell: &str) -> Option<f64> {
    if cell.is_empty() {
        Some(f64::NAN)
    } else {
        cell.parse::<f64>().ok().filter(|v| v.is_finite())
    }
}

fn time_us(cell: &str) -> Option<i64> {
    if let Ok(seconds) = cell.parse::<f64>() {
        return (seconds.abs() < 9e12).then_some((seconds * 1e6).round() as i64);
    }
    if let Ok(stamp) = cell.parse::<jiff::Timestamp>() {
        return Some(stamp.as_microsecond());
    }
    let civil: jiff::civil::DateTime = cell.parse().ok()?;
    civil
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|zoned| zoned.timestamp().as_microsecond())
}

/// Splits a line at commas outside of double quotes; doubled quotes inside are one.
fn fields(line: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    let mut characters = line.trim_end_matches('\r').chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                push(&mut cells, '"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            _ => push(&mut cells, c),
        }
    }
    cells
}

fn push(cells: &mut [String], c: char) {
    if let Some(last) = cells.last_mut() {
        last.push(c);
    }
}

impl Series {
    /// Its rows as the judge takes them.
    pub fn rows(&self) -> Vec<Row<'_>> {
        (0..self.values.len())
            .map(|i| Row {
                time_us: self.times_us[i],
                release: &self.releases[i],
                value: self.values[i],
                count: self.counts[i],
                se: self.ses[i],
            })
            .collect()
    }

    /// How each row was measured.
    pub fn identities(&self) -> Vec<Identity<'_>> {
        self.envs
            .iter()
            .zip(&self.epochs)
            .map(|(env, epoch)| Identity {
                fingerprint: env.as_deref(),
                workload: epoch.as_deref(),
                ..Identity::default()
            })
            .collect()
    }
}

/// Judges all series, those of one group together: in hindsight, or as a replay of growing prefixes. `groups` maps a
/// series' name to the group that shares its testbed. The answer has an entry for every series.
pub fn detect(
    series: &BTreeMap<String, Series>,
    groups: &BTreeMap<String, String>,
    as_replay: bool,
) -> BTreeMap<String, Vec<Detection>> {
    let mut sets: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for name in series.keys() {
        // A series without a group is a group of its own; names of groups and series do not meet.
        let key = groups.get(name).map_or("", String::as_str);
        sets.entry(key).or_default().push(name);
    }
    let alone = sets.remove("").unwrap_or_default();
    let mut found = BTreeMap::new();
    for name in alone {
        found.insert(name.clone(), detect_alone(&series[name], as_replay));
    }
    for names in sets.values() {
        let members: Vec<&Series> = names.iter().map(|name| &series[*name]).collect();
        found.extend(
            names
                .iter()
                .map(|n| (*n).clone())
                .zip(detect_group(&members, as_replay)),
        );
    }
    found
}

fn detect_alone(series: &Series, as_replay: bool) -> Vec<Detection> {
    let (rows, identities, settings) = (series.rows(), series.identities(), Settings::default());
    if as_replay {
        return replay(&rows, &identities, &settings)
            .into_iter()
            .map(Detection::of_finding)
            .collect();
    }
    let last = rows.len().saturating_sub(1);
    judge(&rows, &boundaries(&identities), &settings)
        .into_iter()
        .map(|c| Detection::of(c, last))
        .collect()
}

fn detect_group(members: &[&Series], as_replay: bool) -> Vec<Vec<Detection>> {
    let settings = vec![Settings::default(); members.len()];
    if as_replay {
        let replayed: Vec<Replayed<'_>> = members
            .iter()
            .map(|s| Replayed {
                rows: s.rows(),
                identities: s.identities(),
                settings: Settings::default(),
            })
            .collect();
        return replay_together(&replayed)
            .into_iter()
            .map(|f| f.into_iter().map(Detection::of_finding).collect())
            .collect();
    }
    let together: Vec<Member<'_>> = members
        .iter()
        .map(|s| Member {
            rows: s.rows(),
            boundaries: boundaries(&s.identities()),
        })
        .collect();
    let told = judge_together(&together, &settings);
    told.into_iter()
        .zip(members)
        .map(|(c, s)| {
            c.into_iter()
                .map(|c| Detection::of(c, s.values.len() - 1))
                .collect()
        })
        .collect()
}

impl Detection {
    fn of(change: Change, detected_at: usize) -> Self {
        let kind = match change.kind {
            Kind::Step | Kind::Improvement => "step",
            Kind::Bleed => "bleed",
            Kind::Epoch => "epoch",
        };
        let rounded = |x: f64| (x * 1e4).round() / 1e4;
        Self {
            index: change.index,
            kind,
            detected_at,
            effect_pct: rounded(change.effect_pct.value),
            confidence: change.confidence,
            reason: change.reason,
        }
    }

    fn of_finding(finding: Finding) -> Self {
        let withdrawn = finding.withdrawn_at;
        let mut detection = Self::of(finding.change, finding.detected_at);
        if let Some(row) = withdrawn {
            detection.reason = format!("taken back at row {row}: {}", detection.reason);
        }
        detection
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::seeded::Seeded;
    use super::*;

    fn csv(envs: bool, level: impl Fn(usize) -> f64) -> String {
        let mut random = Seeded::new(1);
        let mut text = String::from(if envs {
            "time,release,value,env\n"
        } else {
            "time,release,value\n"
        });
        for i in 0..120 {
            let value = 100.0 * level(i) * (0.01 * random.normal()).exp();
            text += &format!("{},v{i},{value:.5}", 1_672_531_200 + i * 86_400);
            text += if envs {
                if i < 60 { ",a\n" } else { ",b\n" }
            } else {
                "\n"
            };
        }
        text
    }

    fn detections(text: &str, as_replay: bool) -> Vec<Detection> {
        let series = BTreeMap::from([("s".to_owned(), read(text).unwrap())]);
        detect(&series, &BTreeMap::new(), as_replay)
            .remove("s")
            .unwrap()
    }

    #[test]
    fn a_step_in_a_file_is_found_in_hindsight_and_in_replay() {
        let text = csv(false, |i| if i < 60 { 1.0 } else { 1.1 });
        let hindsight = detections(&text, false);
        assert!(
            matches!(&hindsight[..], [d] if d.kind == "step" && d.index.abs_diff(60) <= 1 && d.detected_at == 119)
        );
        let replayed = detections(&text, true);
        assert!(
            matches!(&replayed[..], [d] if d.index.abs_diff(60) <= 1 && d.detected_at < 70),
            "{replayed:?}"
        );
    }

    #[test]
    fn a_changed_env_is_an_epoch() {
        let found = detections(&csv(true, |i| if i < 60 { 1.0 } else { 1.1 }), true);
        assert!(
            matches!(&found[..], [d] if d.kind == "epoch" && d.index == 60 && d.detected_at == 62),
            "{found:?}"
        );
    }

    #[test]
    fn what_cannot_be_read_is_named_by_line_and_field() {
        let at = |text: &str| read(text).map_err(|e| (e.line, e.field));
        assert_eq!(at("time,value\n").unwrap_err(), (1, "header".to_owned()));
        assert_eq!(at("").unwrap_err(), (1, "header".to_owned()));
        assert_eq!(
            at("time,release,value\n1,a,x\n").unwrap_err(),
            (2, "value".to_owned())
        );
        assert_eq!(
            at("time,release,value\n\nsoon,a,1\n").unwrap_err(),
            (3, "time".to_owned())
        );
        assert_eq!(
            at("time,release,value,count\n1,a,1,many\n").unwrap_err(),
            (2, "count".to_owned())
        );
        assert_eq!(
            at("time,release,value,lower,upper\n1,a,1,0.9,1.1\n2,b,1,2,1\n").unwrap_err(),
            (3, "upper".to_owned())
        );
    }

    #[test]
    fn quotes_dates_and_empty_cells_are_read() {
        let found = read("time,release,value,count,env\r\n2026-11-20T10:00:00Z,\"v1, the \"\"first\"\"\",1.5,12,\r\n").unwrap();
        assert_eq!(found.releases, ["v1, the \"first\""]);
        assert_eq!(found.times_us, [1_795_168_800_000_000]);
        assert_eq!((found.counts, found.envs), (vec![Some(12)], vec![None]));
    }

    #[test]
    fn an_empty_series_gives_an_empty_answer() {
        assert_eq!(detections("time,release,value\n", false), []);
        assert_eq!(detections("time,release,value\n", true), []);
    }
}
