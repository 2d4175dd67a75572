//! Lines gathered to families: a metric's type with all of its values.

use std::collections::{HashMap, HashSet};

use super::line::{self, Dialect, Line, Sample};
use super::rules;
use crate::error::{ErrorKind, ParseError};
use crate::input::Input;
use crate::limits;

/// A metric's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    GaugeHistogram,
    Summary,
    Info,
    StateSet,
    Unknown,
}

impl Kind {
    fn of(word: &str, dialect: Dialect) -> Option<Kind> {
        Some(match word {
            "counter" => Kind::Counter,
            "gauge" => Kind::Gauge,
            "histogram" => Kind::Histogram,
            "summary" => Kind::Summary,
            "unknown" => Kind::Unknown,
            "gaugehistogram" => Kind::GaugeHistogram,
            "info" => Kind::Info,
            "stateset" => Kind::StateSet,
            "untyped" if dialect == Dialect::Text => Kind::Unknown,
            _ => return None,
        })
    }

    /// What may follow the family's name in the name of a value.
    pub(super) fn suffixes(self) -> &'static [&'static str] {
        match self {
            Kind::Counter => &["_total", "_created"],
            Kind::Summary => &["", "_count", "_sum", "_created"],
            Kind::Histogram => &["_bucket", "_count", "_sum", "_created"],
            Kind::GaugeHistogram => &["_bucket", "_gcount", "_gsum"],
            Kind::Info => &["_info"],
            Kind::Gauge | Kind::StateSet | Kind::Unknown => &[""],
        }
    }

    /// The label that tells values of one series apart.
    pub(super) fn inner_label(self) -> Option<&'static str> {
        match self {
            Kind::Histogram | Kind::GaugeHistogram => Some("le"),
            Kind::Summary => Some("quantile"),
            _ => None,
        }
    }
}

/// A metric with its values.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Each with its line.
    pub(super) samples: Vec<(usize, Sample)>,
}

impl Family {
    fn new(name: &str, kind: Kind) -> Self {
        Family {
            name: name.to_owned(),
            kind,
            samples: Vec::new(),
        }
    }

    /// What follows the family's name in that of one of its values.
    pub(super) fn suffix<'a>(&self, sample: &'a Sample) -> &'a str {
        sample.name.strip_prefix(&self.name).unwrap_or_default()
    }
}

/// Counts one value more, up to the limit.
fn count_value(values: &mut usize, line: usize) -> Result<(), ParseError> {
    *values += 1;
    if *values > limits::EXPOSED_VALUES {
        let message = format!("the file holds more than {} values", limits::EXPOSED_VALUES);
        return Err(ParseError::new(ErrorKind::TooLarge, message).at_line(line));
    }
    Ok(())
}

pub(super) fn invalid(line: usize, what: impl Into<String>) -> ParseError {
    ParseError::new(ErrorKind::InvalidOpenmetrics, what).at_line(line)
}

/// The families of a text of Prometheus: what its types do not name is of unknown type.
pub(super) fn of_text(input: &Input) -> Result<Vec<Family>, ParseError> {
    let mut families: Vec<Family> = Vec::new();
    let mut at: HashMap<String, usize> = HashMap::new();
    let mut values = 0;
    for numbered in input.lines() {
        let (number, text) = numbered?;
        let line = line::read(text, Dialect::Text).map_err(|what| invalid(number, what))?;
        match line {
            Line::Type(name, word) => {
                let kind = Kind::of(word, Dialect::Text)
                    .ok_or_else(|| invalid(number, format!("{word:?} is no type of a metric")))?;
                // Clients write a counter's type under its full name; elsewhere the name is that without the ending.
                let short = name
                    .strip_suffix("_total")
                    .filter(|_| kind == Kind::Counter);
                at.entry(name.to_owned()).or_insert(families.len());
                families.push(Family::new(short.unwrap_or(name), kind));
            }
            Line::Sample(sample) => {
                count_value(&mut values, number)?;
                let known = place(&sample.name, &at, &families);
                let place = known.unwrap_or(families.len());
                if place == families.len() {
                    at.insert(sample.name.clone(), place);
                    families.push(Family::new(&sample.name, Kind::Unknown));
                }
                if let Some(family) = families.get_mut(place) {
                    family.samples.push((number, sample));
                }
            }
            _ => {}
        }
        if families.len() > limits::SERIES {
            let message = format!("the file holds more than {} metrics", limits::SERIES);
            return Err(ParseError::new(ErrorKind::TooLarge, message));
        }
    }
    Ok(families)
}

fn place(name: &str, at: &HashMap<String, usize>, families: &[Family]) -> Option<usize> {
    let by_suffix = ["_bucket", "_count", "_sum", "_gcount", "_gsum", "_total"]
        .iter()
        .find_map(|suffix| {
            let place = *at.get(name.strip_suffix(suffix)?)?;
            let kind = families.get(place)?.kind;
            (kind.suffixes().contains(suffix)).then_some(place)
        });
    at.get(name).copied().or(by_suffix)
}

/// The family that is open, with what its metadata said.
struct Open {
    family: Family,
    typed: bool,
    helped: bool,
    unit: Option<String>,
    groups: rules::Groups,
    line: usize,
}

impl Open {
    fn new(name: &str, line: usize) -> Self {
        Open {
            family: Family::new(name, Kind::Unknown),
            typed: false,
            helped: false,
            unit: None,
            groups: rules::Groups::default(),
            line,
        }
    }

    fn takes(&self, sample: &Sample) -> bool {
        let suffix = sample.name.strip_prefix(&self.family.name);
        suffix.is_some_and(|suffix| self.family.kind.suffixes().contains(&suffix))
    }
}

/// The families of an OpenMetrics text, all of whose rules hold.
pub(super) fn of_openmetrics(text: &str) -> Result<Vec<Family>, ParseError> {
    let mut done = Done::default();
    let mut open: Option<Open> = None;
    let mut ended = false;
    let mut values = 0;
    for (at, text) in text
        .strip_suffix('\n')
        .unwrap_or(text)
        .split('\n')
        .enumerate()
    {
        let number = at + 1;
        if ended {
            return Err(invalid(number, "text after `# EOF`"));
        }
        if text.len() > limits::LINE_BYTES {
            return Err(ParseError::new(ErrorKind::TooLarge, "a line is too long").at_line(number));
        }
        if text.ends_with('\r') {
            return Err(invalid(
                number,
                "OpenMetrics ends lines with LF alone, this one with CR LF",
            ));
        }
        let line = line::read(text, Dialect::OpenMetrics).map_err(|what| invalid(number, what))?;
        match line {
            Line::End => ended = true,
            Line::Nothing => {}
            Line::Sample(sample) => {
                count_value(&mut values, number)?;
                let known = open.take_if(|open| open.takes(&sample));
                let mut current = match known {
                    Some(known) => known,
                    None => {
                        done.close(open.take())?;
                        Open::new(&sample.name, number)
                    }
                };
                if rules::sample(&current.family, &mut current.groups, &sample)
                    .map_err(|what| invalid(number, what))?
                {
                    current.family.samples.push((number, sample));
                }
                open = Some(current);
            }
            Line::Help(name) | Line::Type(name, _) | Line::Unit(name, _) => {
                if open.as_ref().is_none_or(|open| open.family.name != name) {
                    done.close(open.take())?;
                }
                let current = open.get_or_insert_with(|| Open::new(name, number));
                describe(current, &line).map_err(|what| invalid(number, what))?;
            }
        }
    }
    done.close(open)?;
    if !ended {
        return Err(invalid(text.lines().count(), "no line `# EOF` at the end"));
    }
    Ok(done.families)
}

fn describe(open: &mut Open, line: &Line) -> Result<(), String> {
    if !open.family.samples.is_empty() {
        return Err("metadata after values of the same metric".into());
    }
    let again = match line {
        Line::Help(_) => std::mem::replace(&mut open.helped, true),
        Line::Type(_, word) => {
            open.family.kind = Kind::of(word, Dialect::OpenMetrics)
                .ok_or_else(|| format!("{word:?} is no type of a metric"))?;
            std::mem::replace(&mut open.typed, true)
        }
        Line::Unit(_, unit) => open.unit.replace((*unit).to_owned()).is_some(),
        _ => false,
    };
    if again {
        return Err("metadata of one sort stands there twice".into());
    }
    Ok(())
}

/// Families that are complete.
#[derive(Default)]
struct Done {
    families: Vec<Family>,
    names: HashSet<String>,
}

impl Done {
    fn close(&mut self, open: Option<Open>) -> Result<(), ParseError> {
        let Some(Open {
            family, unit, line, ..
        }) = open
        else {
            return Ok(());
        };
        let own = family.kind.suffixes().iter().filter(|s| !s.is_empty());
        for suffix in own.chain([&""]) {
            if !self.names.insert(format!("{}{suffix}", family.name)) {
                let what = format!("the name {}{suffix} is used twice", family.name);
                return Err(invalid(line, what));
            }
        }
        if let Some(unit) = unit.filter(|unit| !unit.is_empty()) {
            if !family.name.ends_with(&format!("_{unit}")) {
                let what = format!("the name {} does not end in its unit {unit}", family.name);
                return Err(invalid(line, what));
            }
            if matches!(family.kind, Kind::Info | Kind::StateSet) {
                return Err(invalid(line, "an info or a stateset has no unit"));
            }
        }
        if matches!(family.kind, Kind::Histogram | Kind::GaugeHistogram) {
            rules::histogram(&family)?;
        }
        self.families.push(family);
        Ok(())
    }
}
