//! `Server-Timing` headers: lines of a header dump, or a JSON list of objects with the value as `header`.
//!
//! They are read as Chromium reads them: the first `dur` and `desc` of an entry count, names in any case, and what does
//! not parse is no number. Where Chromium says 0 for an entry without a duration, no value is made of it. Each entry's
//! durations are samples of the flow of its name, in milliseconds. See <https://www.w3.org/TR/server-timing/>.

use serde_json::{Value, json};

use crate::draft::{Draft, observation, samples};
use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::json;
use crate::report::{Payload, Report, Summary};
use crate::{Format, ParseOptions};

const METRIC: &str = "Server-Timing";

pub(crate) fn sniff(input: &Input) -> bool {
    match &input.shape {
        Shape::Json(Value::Array(list)) => {
            !list.is_empty()
                && list
                    .iter()
                    .all(|item| json::string(item, "header").is_some())
        }
        Shape::Text => {
            let mut lines = input.text.lines().filter(|line| !line.trim().is_empty());
            input.text.len() > METRIC.len() && lines.all(|line| of_line(line).is_some())
        }
        _ => false,
    }
}

/// The header's value on a line `Server-Timing: …`.
fn of_line(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(':')?;
    name.trim().eq_ignore_ascii_case(METRIC).then_some(value)
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::ServerTiming);
    let list = input.document().and_then(Value::as_array);
    let headers: Vec<&str> = match list {
        Some(list) => list
            .iter()
            .filter_map(|item| json::string(item, "header"))
            .collect(),
        None => input.text.lines().filter_map(of_line).collect(),
    };
    let entries: Vec<Entry> = headers.iter().flat_map(|header| entries(header)).collect();
    let mut at = std::collections::HashMap::new();
    let mut named: Vec<(&str, Vec<&Entry>)> = Vec::new();
    let mut silent = 0_usize;
    for entry in &entries {
        if entry.duration_ms.is_none() {
            silent += 1;
            continue;
        }
        let place = *at.entry(entry.name.as_str()).or_insert(named.len());
        if place == named.len() {
            named.push((&entry.name, Vec::new()));
        }
        if let Some((_, of_name)) = named.get_mut(place) {
            of_name.push(entry);
        }
    }
    if silent > 0 {
        draft.warn(format!(
            "{silent} entries have no duration, which is not the same as 0"
        ));
    }
    for (name, of_name) in named {
        let given: Vec<f64> = of_name.iter().filter_map(|e| e.duration_ms).collect();
        let usable = given.iter().any(|ms| ms.is_finite() && *ms >= 0.0);
        let payload = if usable {
            samples(given)
        } else {
            // What is negative is no time, and is told all the same.
            Payload::Summary(Summary {
                reported: given.into_iter().map(|ms| ("dur".to_owned(), ms)).collect(),
                ..Summary::default()
            })
        };
        let mut found = observation(name, METRIC, "ms", payload);
        let listed = of_name.iter().take(crate::limits::SKIPPED_LISTED);
        let listed: Value = listed
            .map(|e| json!({"name": e.name, "duration": e.duration_ms, "description": e.description}))
            .collect();
        found.extra.insert("entries".into(), listed);
        draft.add(found)?;
    }
    Ok(draft.finish())
}

/// One entry of a header.
#[derive(Debug, PartialEq)]
struct Entry {
    name: String,
    duration_ms: Option<f64>,
    description: String,
}

fn entries(header: &str) -> Vec<Entry> {
    let mut rest = Rest(header.trim_start_matches([' ', '\t']));
    let mut found = Vec::new();
    loop {
        let name = rest.token();
        if name.is_empty() {
            return found;
        }
        let (mut duration, mut description) = (None, None);
        while rest.eat(';') {
            let key = rest.token();
            if key.is_empty() {
                break;
            }
            let mut value = String::new();
            if rest.eat('=') {
                value = rest.value();
                rest.skip_to_next();
            }
            if key.eq_ignore_ascii_case("dur") {
                duration.get_or_insert(value);
            } else if key.eq_ignore_ascii_case("desc") {
                description.get_or_insert(value);
            }
        }
        found.push(Entry {
            name: name.to_owned(),
            duration_ms: duration
                .and_then(|text| text.parse().ok())
                .filter(|ms: &f64| ms.is_finite()),
            description: description.unwrap_or_default(),
        });
        if !rest.eat(',') {
            return found;
        }
    }
}

/// What of a header has not been read; white space after what was read is read with it.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn advance(&mut self, bytes: usize) -> &'a str {
        let (read, rest) = self.0.split_at(bytes);
        self.0 = rest.trim_start_matches([' ', '\t']);
        read
    }

    fn eat(&mut self, c: char) -> bool {
        let there = self.0.starts_with(c);
        if there {
            self.advance(c.len_utf8());
        }
        there
    }

    fn token(&mut self) -> &'a str {
        let no_token = |c: char| !c.is_ascii_alphanumeric() && !"!#$%&'*+-.^_`|~".contains(c);
        self.advance(self.0.find(no_token).unwrap_or(self.0.len()))
    }

    /// A token or a quoted text; nothing where the quote is not closed.
    fn value(&mut self) -> String {
        if !self.0.starts_with('"') {
            return self.token().to_owned();
        }
        let mut text = String::new();
        let mut chars = self.0.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.advance(at + 1);
                    return text;
                }
                '\\' => text.extend(chars.next().map(|(_, c)| c)),
                c => text.push(c),
            }
        }
        self.0 = "";
        String::new()
    }

    fn skip_to_next(&mut self) {
        self.advance(self.0.find([',', ';']).unwrap_or(self.0.len()));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::{parse, sniff};

    #[test]
    fn headers_are_read_as_chromium_reads_them() {
        let read = |header| -> Vec<(String, Option<f64>, String)> {
            let found = entries(header).into_iter();
            found
                .map(|e| (e.name, e.duration_ms, e.description))
                .collect()
        };
        let entry = |name: &str, ms, text: &str| (name.to_owned(), ms, text.to_owned());
        assert_eq!(
            read("a;desc=\"x, \\\" y\";dur=1.5 junk , b;DUR=2;dur=3, c"),
            [
                entry("a", Some(1.5), "x, \" y"),
                entry("b", Some(2.0), ""),
                entry("c", None, "")
            ]
        );
        assert_eq!(read("a;dur=abc;dur=4"), [entry("a", None, "")]);
        assert_eq!(read("a;dur;dur=4"), [entry("a", None, "")]);
        assert_eq!(read("a;desc=\"open, b;dur=1"), [entry("a", None, "")]);
        assert_eq!(read("a ; dur = 3 ;; x"), [entry("a", Some(3.0), "")]);
        assert!(read("").is_empty() && read(", a").is_empty());
    }

    #[test]
    fn lines_of_headers_are_samples_by_entry() {
        let text = b"Server-Timing: db;dur=1, app;dur=5\nserver-timing: db;dur=2, hit\n";
        assert_eq!(sniff("", text).unwrap(), Format::ServerTiming);
        let report = parse(text, &ParseOptions::default()).unwrap();
        assert_eq!(report.observations.len(), 2);
        assert_eq!(report.observations[0].payload, samples(vec![1.0, 2.0]));
        assert_eq!(report.warnings.len(), 1);
    }
}
