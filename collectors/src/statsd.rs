//! statsd datagrams, a value a line: `name:value|type`, with DogStatsD's packed values, tags and sample rates.
//!
//! Timers, histograms and distributions are kept as samples. A sample rate is a stratum: values sampled at different
//! rates are never poured together, and the rate is told beside them. UDP loses datagrams, so every series is marked.
//! Counters, gauges and sets hold no distribution and are left out.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::draft::{Draft, observation, samples};
use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::report::{Observation, Quality, Report};
use crate::{Format, ParseOptions};

/// Tags that name a machine or an instance, which are no dimensions of what was measured.
const INSTANCE_TAGS: [&str; 5] = ["host", "hostname", "instance", "pod_name", "container_id"];

pub(crate) fn sniff(input: &Input) -> bool {
    if !matches!(input.shape, Shape::Text) {
        return false;
    }
    let lines = input.text.lines().filter(|line| !line.trim().is_empty());
    let (mut known, mut all) = (0, 0);
    for line in lines.take(100) {
        let is_known = is_event(line) || Metric::read(line).is_some();
        if all == 0 && !is_known {
            return false;
        }
        known += usize::from(is_known);
        all += 1;
    }
    known * 2 > all
}

/// DogStatsD's events and service checks.
fn is_event(line: &str) -> bool {
    line.starts_with("_e{") || line.starts_with("_sc|")
}

/// One line.
struct Metric<'a> {
    name: &'a str,
    values: &'a str,
    kind: &'a str,
    rate: f64,
    tags: Vec<(&'a str, &'a str)>,
}

impl<'a> Metric<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut parts = line.trim().split('|');
        let (name, values) = parts.next()?.split_once(':')?;
        let kind = parts.next()?;
        let known = matches!(kind, "ms" | "h" | "d" | "c" | "g" | "s" | "m");
        // In InfluxDB's dialect tags follow the name.
        let mut named = name.split(',');
        let name = named.next()?.trim();
        let mut tags: Vec<_> = named.filter_map(|tag| tag.split_once('=')).collect();
        let mut rate = 1.0;
        for part in parts {
            if let Some(text) = part.strip_prefix('@') {
                rate = text.parse().ok().filter(|r| *r > 0.0 && *r <= 1.0)?;
            } else if let Some(list) = part.strip_prefix('#') {
                let list = list.split(',').filter(|tag| !tag.is_empty());
                tags.extend(list.map(|tag| tag.split_once(':').unwrap_or((tag, ""))));
            }
        }
        let whole = known && !name.is_empty() && !values.is_empty();
        whole.then_some(Metric {
            name,
            values,
            kind,
            rate,
            tags,
        })
    }

    /// The metric's name and unit where it holds a distribution.
    fn distribution(&self) -> Option<(&'static str, &'static str)> {
        match self.kind {
            "ms" => Some(("timer", "ms")),
            // Neither says what its values are.
            "h" => Some(("histogram", "?")),
            "d" => Some(("distribution", "?")),
            _ => None,
        }
    }
}

/// What values must share to be one observation: name, kind, rate and tags.
type Key<'a> = (&'a str, &'a str, u64, BTreeMap<String, String>);

/// Values of one key, in file order.
struct Gathered<'a> {
    key: Key<'a>,
    metric: &'static str,
    unit: &'static str,
    values: Vec<f64>,
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Statsd);
    let mut found: Vec<Gathered> = Vec::new();
    let mut at: HashMap<Key, usize> = HashMap::new();
    let mut left_out: HashSet<(&str, &str)> = HashSet::new();
    let mut releases: HashSet<&str> = HashSet::new();
    for line in input.lines() {
        let (number, line) = line?;
        let Some(metric) = Metric::read(line) else {
            let reason = match is_event(line) {
                true => "an event or a service check",
                false => "no statsd metric: a datagram cut short?",
            };
            draft.skip(format!("line {number}"), reason);
            continue;
        };
        let Some((kind, unit)) = metric.distribution() else {
            if left_out.insert((metric.name, metric.kind)) {
                draft.skip(format!("{}|{}", metric.name, metric.kind), "not a timer");
            }
            continue;
        };
        let Some(values) = numbers(metric.values) else {
            draft.skip(format!("line {number}"), "a value is no number");
            continue;
        };
        let mut tags = metric.tags;
        releases.extend(tags.iter().filter(|(k, _)| *k == "version").map(|(_, v)| v));
        tags.retain(|(key, _)| !INSTANCE_TAGS.contains(key) && *key != "version");
        let tags = tags.into_iter().map(|(k, v)| (k.into(), v.into()));
        let key = (
            metric.name,
            metric.kind,
            metric.rate.to_bits(),
            tags.collect(),
        );
        let place = *at.entry(key.clone()).or_insert(found.len());
        if place == found.len() {
            found.push(Gathered {
                key,
                metric: kind,
                unit,
                values: Vec::new(),
            });
        }
        if let Some(gathered) = found.get_mut(place) {
            gathered.values.extend(values);
        }
    }
    match releases.len() {
        1 => draft.context().release = releases.iter().next().map(|r| (*r).to_owned()),
        0 => {}
        _ => draft.warn("the file holds several versions: no one of them is taken for its release"),
    }
    for gathered in found {
        draft.add(gathered.observation())?;
    }
    Ok(draft.finish())
}

fn numbers(packed: &str) -> Option<Vec<f64>> {
    packed.split(':').map(|value| value.parse().ok()).collect()
}

impl Gathered<'_> {
    fn observation(self) -> Observation {
        let (name, _, rate, labels) = self.key;
        let rate = f64::from_bits(rate);
        let weighted = self.values.len() as f64 / rate;
        let mut found = observation(name, self.metric, self.unit, samples(self.values));
        found.labels = labels;
        found.quality.push(Quality::LossyTransport);
        if rate < 1.0 {
            found.quality.push(Quality::Sampled);
        }
        found.extra.insert("sample_rate".into(), rate.into());
        found.extra.insert("weighted_count".into(), weighted.into());
        found
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use crate::report::{Outcome, Payload, Quality};
    use crate::{Format, ParseOptions, parse, sniff};

    #[test]
    fn packed_values_tags_and_rates_are_read() {
        let text = "a.b:1:2.5:3|d|@0.3|#env:prod,host:x,version:1.2,beta|c:ci-1\r\na.b:4|d|#env:prod,beta\nweb,route=/a:5|h\n";
        let report = parse(text.as_bytes(), &ParseOptions::default()).unwrap();
        assert_eq!(report.outcome(), Outcome::Ok);
        assert_eq!(report.context.release.as_deref(), Some("1.2"));
        let [sampled, whole, tagged] = &report.observations[..] else {
            panic!()
        };
        let Payload::Samples(samples) = &sampled.payload else {
            panic!()
        };
        assert_eq!(samples.values, [1.0, 2.5, 3.0]);
        assert_eq!(sampled.extra["weighted_count"], 3.0 / 0.3);
        assert_eq!(sampled.quality, [Quality::LossyTransport, Quality::Sampled]);
        assert_eq!(sampled.labels, whole.labels, "a rate splits no series");
        assert_eq!(whole.labels.len(), 2);
        assert_eq!(tagged.labels["route"], "/a");
    }

    #[test]
    fn broken_datagrams_and_other_types_are_listed() {
        let text = "a:1|ms\na:x|ms\na:1|m\nb:-2|g\nb:3|g\n_sc|up|0\na:1\n";
        let report = parse(text.as_bytes(), &ParseOptions::default()).unwrap();
        assert_eq!(report.observations.len(), 1);
        let names: Vec<_> = report.skipped.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["line 2", "a|m", "b|g", "line 6", "line 7"]);
    }

    #[test]
    fn other_text_is_none() {
        for text in ["a|b|c\n", "time: 5|6\n", "x:1\n", "Benchmark: 1 | ms2 |\n"] {
            assert_ne!(sniff("", text.as_bytes()).ok(), Some(Format::Statsd));
        }
    }
}
