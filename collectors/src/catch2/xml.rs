//! The XML reporter's document, read as a stream: all its times are nanoseconds, which only a comment says.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::draft::{Draft, observation};
use crate::error::{ErrorKind, ParseError, Place};
use crate::limits;
use crate::printed;
use crate::report::{Basis, Payload, Summary};

/// Whether the first element is Catch2's root (`Catch` in version 2, `Catch2TestRun` in 3).
pub(super) fn is(text: &str) -> bool {
    let mut rest = text.trim_start();
    for (open, close) in [("<?", "?>"), ("<!--", "-->")] {
        if rest.starts_with(open) {
            let after = rest.split_once(close).map(|(_, after)| after);
            rest = after.unwrap_or_default().trim_start();
        }
    }
    rest.starts_with("<Catch ") || rest.starts_with("<Catch2TestRun ")
}

pub(super) fn read(text: &str, draft: &mut Draft) -> Result<(), ParseError> {
    let mut reader = Reader::from_str(text);
    let mut reading = Reading::default();
    loop {
        let event = reader.read_event();
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let wrong = |what: String| invalid(text, at, what);
        match event.map_err(|error| wrong(error.to_string()))? {
            Event::Start(element) => {
                reading.open(&element).map_err(wrong)?;
                if reading.elements.len() > limits::JSON_DEPTH {
                    return Err(wrong("elements are nested too deeply".into()));
                }
            }
            Event::Empty(element) => {
                reading.open(&element).map_err(wrong)?;
                reading.close(draft)?;
            }
            Event::End(_) => reading.close(draft)?,
            Event::DocType(_) => return Err(wrong("a document type is not read".into())),
            Event::Eof if reading.elements.is_empty() => return Ok(()),
            Event::Eof => {
                return Err(wrong("the document ends inside of an element".into())
                    .hint("was it cut short? a test that crashes ends the program"));
            }
            _ => {}
        }
    }
}

fn invalid(text: &str, at: usize, what: String) -> ParseError {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    let lines = before.iter().filter(|&&byte| byte == b'\n').count();
    let error = ParseError::new(ErrorKind::InvalidXml, format!("not valid XML: {what}"));
    error.at(Place {
        line: Some(lines as u64 + 1),
        byte: Some(before.len() as u64),
        ..Place::default()
    })
}

/// Where in the document we are.
#[derive(Default)]
struct Reading {
    /// The names of the open elements.
    elements: Vec<String>,
    /// Names of the open test case and its sections.
    path: Vec<String>,
    benchmark: Option<Benchmark>,
}

/// What the elements of one `BenchmarkResults` say.
#[derive(Default)]
struct Benchmark {
    name: String,
    reported: Vec<(String, f64)>,
    samples: Option<f64>,
    iterations: Option<f64>,
    failed: Option<String>,
}

impl Reading {
    fn open(&mut self, element: &BytesStart) -> Result<(), String> {
        let name = element.name().as_ref().to_owned();
        let attributes = attributes(element)?;
        let text = |key: &str| {
            let found = attributes.iter().find(|(name, _)| name == key);
            found.map(|(_, value)| value.clone())
        };
        let number = |key: &str| text(key).as_deref().and_then(printed::number);
        match (name.as_str(), &mut self.benchmark) {
            ("TestCase" | "Section", _) => self.path.push(text("name").unwrap_or_default()),
            ("BenchmarkResults", _) => {
                self.benchmark = Some(Benchmark {
                    name: text("name").unwrap_or_default(),
                    samples: number("samples"),
                    iterations: number("iterations"),
                    ..Benchmark::default()
                });
            }
            ("mean", Some(benchmark)) => {
                let values = [
                    ("mean", number("value")),
                    ("mean_low", number("lowerBound")),
                    ("mean_high", number("upperBound")),
                    ("ci", number("ci")),
                ];
                benchmark.report(&values);
            }
            ("standardDeviation", Some(benchmark)) => {
                benchmark.report(&[("stddev", number("value"))]);
            }
            ("failed", Some(benchmark)) => {
                benchmark.failed = Some(text("message").unwrap_or_default());
            }
            _ => {}
        }
        self.elements.push(name);
        Ok(())
    }

    fn close(&mut self, draft: &mut Draft) -> Result<(), ParseError> {
        match self.elements.pop().as_deref() {
            Some("TestCase" | "Section") => {
                self.path.pop();
            }
            Some("BenchmarkResults") => {
                if let Some(benchmark) = self.benchmark.take() {
                    let path = self.path.iter().map(String::as_str);
                    let path: Vec<&str> = path.chain([benchmark.name.as_str()]).collect();
                    return benchmark.add_to(draft, &path.join("/"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Benchmark {
    fn report(&mut self, values: &[(&str, Option<f64>)]) {
        let given = values.iter();
        self.reported
            .extend(given.filter_map(|(name, value)| Some(((*name).to_owned(), (*value)?))));
    }

    fn add_to(&self, draft: &mut Draft, flow: &str) -> Result<(), ParseError> {
        if let Some(message) = &self.failed {
            draft.skip(flow, format!("failed: {message}"));
            return Ok(());
        }
        let said = |name: &str| {
            let found = self.reported.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| *value)
        };
        if said("mean").is_none() {
            draft.skip(flow, "no mean");
            return Ok(());
        }
        let counted = [("samples", self.samples), ("iterations", self.iterations)];
        let counted = counted
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let summary = Summary {
            headline: Some("mean".into()),
            stddev: said("stddev"),
            count: self.samples.map(|n| n as u64),
            reported: self.reported.iter().cloned().chain(counted).collect(),
        };
        let mut time = observation(flow, "time", "ns", Payload::Summary(summary));
        time.basis = Basis::ToolSummary;
        draft.add(time)
    }
}

/// Names and values; only the five entities and characters by number are known.
fn attributes(element: &BytesStart) -> Result<Vec<(String, String)>, String> {
    let read = element.attributes().map(|attribute| {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value =
            quick_xml::escape::unescape(&attribute.value).map_err(|error| error.to_string())?;
        let name = attribute.key.as_ref().to_owned();
        Ok((name, value.into_owned()))
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use crate::{ErrorKind, ParseOptions, parse};

    const START: &str = r#"<?xml version="1.0"?><Catch2TestRun name="t"><TestCase name="a &amp; b"><Section name="s">"#;
    const BENCHMARK: &str = r#"<BenchmarkResults name="x" samples="5" iterations="1"><mean value="1.5" lowerBound="1" upperBound="2" ci="0.95"/></BenchmarkResults>"#;
    const END: &str = "</Section></TestCase></Catch2TestRun>";

    #[test]
    fn version_3_is_read_and_names_are_unescaped() {
        let text = format!("{START}{BENCHMARK}{END}");
        let report = parse(text.as_bytes(), &ParseOptions::default()).unwrap();
        assert_eq!(report.observations[0].flow, "a & b/s/x");
    }

    #[test]
    fn what_is_cut_or_has_a_document_type_is_refused_with_its_line() {
        let typed =
            format!("<Catch name=\"c\">\n<!DOCTYPE x [<!ENTITY a \"b\">]>{BENCHMARK}</Catch>");
        for text in [format!("{START}\n{BENCHMARK}"), typed] {
            let error = parse(text.as_bytes(), &ParseOptions::default()).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidXml);
            assert_eq!(error.place.unwrap().line, Some(2));
        }
        let entity = format!("{START}{BENCHMARK}{END}").replace("&amp;", "&evil;");
        assert!(parse(entity.as_bytes(), &ParseOptions::default()).is_err());
    }
}
