//! The XML log, read event by event: samples may hold samples, headers and whole answers, of which only attributes count.

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::{Log, truth};
use crate::error::{ErrorKind, ParseError};
use crate::limits;
use crate::table::first_line;

/// How far into the text the root element is looked for; nothing but a declaration and comments precede it.
const PROLOGUE_BYTES: usize = 4 << 10;

pub(super) fn sniff(text: &str) -> bool {
    let head = text.as_bytes();
    let head = &head[..head.len().min(PROLOGUE_BYTES)];
    first_line(text).starts_with('<') && memchr::memmem::find(head, b"<testResults").is_some()
}

pub(super) fn read(text: &str, log: &mut Log) -> Result<(), ParseError> {
    let mut reader = Reader::from_str(text);
    let mut depth = 0_usize;
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let event = reader.read_event().map_err(|e| invalid(text, at, &e))?;
        match event {
            Event::Start(tag) => {
                depth += 1;
                if depth > limits::XML_DEPTH {
                    let message =
                        format!("the XML is nested deeper than {} levels", limits::XML_DEPTH);
                    return Err(at_byte(text, at, ErrorKind::TooLarge, message));
                }
                sample(&tag, text, at, log)?;
            }
            Event::Empty(tag) => sample(&tag, text, at, log)?,
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::DocType(_) => {
                let message = "the XML has a document type, which we do not read";
                return Err(at_byte(text, at, ErrorKind::InvalidXml, message.into()));
            }
            Event::Eof if depth > 0 => {
                let message = "the XML ends before its last tag is closed";
                return Err(
                    at_byte(text, at, ErrorKind::InvalidXml, message.into()).hint(
                        "the file was cut short: let JMeter end its test, which closes the log",
                    ),
                );
            }
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

fn invalid(text: &str, at: usize, error: &quick_xml::Error) -> ParseError {
    let message = format!("not valid XML: {error}");
    at_byte(text, at, ErrorKind::InvalidXml, message).hint("was the file cut short?")
}

fn at_byte(text: &str, byte: usize, kind: ErrorKind, message: String) -> ParseError {
    let before = text.as_bytes().get(..byte).unwrap_or(text.as_bytes());
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    ParseError::new(kind, message).at_line(line)
}

/// Takes the sample that an element is. JMeter before 2.2 wrote attributes out in full.
fn sample(tag: &BytesStart, text: &str, at: usize, log: &mut Log) -> Result<(), ParseError> {
    if !matches!(
        tag.name().as_ref(),
        "sample" | "httpSample" | "sampleResult"
    ) {
        return Ok(());
    }
    let (mut elapsed, mut label, mut success, mut time) = (None, None, None, None);
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|e| invalid(text, at, &e.into()))?;
        let field = match attribute.key.as_ref() {
            "t" | "time" => &mut elapsed,
            "lb" | "label" => &mut label,
            "s" | "success" => &mut success,
            "ts" | "timeStamp" => &mut time,
            _ => continue,
        };
        let value = attribute.normalized_value(quick_xml::XmlVersion::Explicit1_0);
        *field = Some(value.map_err(|e| invalid(text, at, &e))?);
    }
    let label = label
        .filter(|l| !l.is_empty())
        .unwrap_or("(unnamed)".into());
    match elapsed.as_deref().map(|t| t.trim().parse::<f64>()) {
        Some(Ok(elapsed)) => {
            let success = success.as_deref().and_then(truth);
            log.sample(&label, elapsed, success, time.as_deref());
        }
        _ => log.draft.skip(label, "a sample without its time"),
    }
    Ok(())
}
