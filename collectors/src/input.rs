//! A file's bytes made readable once, before any collector looks at them: inflated, decoded, and recognised as JSON,
//! lines of JSON, an HdrHistogram payload or text.

use std::borrow::Cow;
use std::io::Read;

use serde_json::Value;

use crate::error::{ErrorKind, ParseError};
use crate::longwatch::{self, Document};
use crate::{gatling, json, limits, otlp, vegeta};

/// A readable file.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    /// Its text without a byte order mark; empty for a binary payload.
    pub(crate) text: Cow<'a, str>,
    /// What it is made of.
    pub(crate) shape: Shape,
    /// What was mended while reading.
    pub(crate) warnings: Vec<String>,
}

/// What a file is made of.
#[derive(Debug)]
pub(crate) enum Shape {
    /// One JSON document.
    Json(Value),
    /// Our own JSON document, which is read without building a tree.
    Own(Document),
    /// Lines of JSON; the first of them.
    Lines(Value),
    /// A binary HdrHistogram payload.
    Hdr(Vec<u8>),
    /// An OTLP request as protobuf.
    Otlp(Vec<u8>),
    /// Any other text.
    Text,
    /// Text that begins like JSON and is none; the error counts unless a text format knows it.
    BrokenJson(ParseError),
}

const HDR_COOKIES: [[u8; 4]; 6] = [
    [0x1c, 0x84, 0x93, 0x13],
    [0x1c, 0x84, 0x93, 0x14],
    [0x1c, 0x84, 0x93, 0x11],
    [0x1c, 0x84, 0x93, 0x12],
    [0x1c, 0x84, 0x93, 0x08],
    [0x1c, 0x84, 0x93, 0x09],
];

impl<'a> Input<'a> {
    /// Makes bytes readable. Refuses what is empty, binary, in another encoding, or larger than the limits.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, ParseError> {
        if bytes.len() as u64 > limits::INFLATED_BYTES {
            return Err(too_large());
        }
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let inflated = gunzip(bytes)?;
            return Input::of_plain(Cow::Owned(inflated));
        }
        Input::of_plain(Cow::Borrowed(bytes))
    }

    fn of_plain(bytes: Cow<'a, [u8]>) -> Result<Self, ParseError> {
        if HDR_COOKIES.iter().any(|cookie| bytes.starts_with(cookie)) {
            return Ok(Input::binary(Shape::Hdr(bytes.into_owned())));
        }
        if otlp::is_request(&bytes) {
            return Ok(Input::binary(Shape::Otlp(bytes.into_owned())));
        }
        let mut warnings = Vec::new();
        let text = decode(bytes, &mut warnings)?;
        let shape = recognise(&text)?;
        Ok(Input {
            text,
            shape,
            warnings,
        })
    }

    fn binary(shape: Shape) -> Self {
        Input {
            text: Cow::Borrowed(""),
            shape,
            warnings: Vec::new(),
        }
    }

    /// The document, if the file is one.
    pub(crate) fn document(&self) -> Option<&Value> {
        match &self.shape {
            Shape::Json(value) => Some(value),
            _ => None,
        }
    }

    /// The first record of a file of JSON lines, of which one line may be all.
    pub(crate) fn first_record(&self) -> Option<&Value> {
        match &self.shape {
            Shape::Json(value) | Shape::Lines(value) => Some(value),
            _ => None,
        }
    }

    /// Every line that is not blank, with its number from 1; a line that is too long is refused.
    pub(crate) fn lines(&self) -> impl Iterator<Item = Result<(usize, &str), ParseError>> + '_ {
        let numbered = self
            .text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty());
        numbered.map(|(at, line)| match line.len() {
            0..=limits::LINE_BYTES => Ok((at + 1, line)),
            _ => Err(ParseError::new(
                ErrorKind::TooLarge,
                format!("a line is longer than {} bytes", limits::LINE_BYTES),
            )
            .at_line(at + 1)),
        })
    }

    /// Every line read as JSON, with its number.
    pub(crate) fn records(&self) -> impl Iterator<Item = Result<(usize, Value), ParseError>> + '_ {
        self.lines().map(|line| {
            let (number, text) = line?;
            let value = json::parse(text).map_err(|error| error.on_line(number))?;
            Ok((number, value))
        })
    }
}

fn too_large() -> ParseError {
    ParseError::new(
        ErrorKind::TooLarge,
        format!("the file is larger than {} bytes", limits::INFLATED_BYTES),
    )
    .hint("send it in parts")
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, ParseError> {
    let mut reader = flate2::bufread::MultiGzDecoder::new(bytes);
    let mut out = Vec::new();
    let mut part = [0; 16 << 10];
    loop {
        let read = reader.read(&mut part).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => ParseError::new(
                ErrorKind::CorruptGzip,
                "unexpected end of the gzip stream: the file was cut short",
            ),
            _ => ParseError::new(
                ErrorKind::CorruptGzip,
                format!("the gzip stream is corrupt: {e}"),
            ),
        })?;
        if read == 0 {
            return Ok(out);
        }
        out.extend_from_slice(&part[..read]);
        let inflated = out.len() as u64;
        if inflated > limits::INFLATED_BYTES {
            return Err(too_large());
        }
        if inflated > limits::RATIO_FREE_BYTES
            && inflated / bytes.len() as u64 > limits::INFLATE_RATIO
        {
            let message = format!(
                "the gzip stream inflates to more than {} times its size",
                limits::INFLATE_RATIO
            );
            return Err(ParseError::new(ErrorKind::TooLarge, message));
        }
    }
}

fn decode<'a>(
    bytes: Cow<'a, [u8]>,
    warnings: &mut Vec<String>,
) -> Result<Cow<'a, str>, ParseError> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let error = ParseError::new(ErrorKind::UnsupportedEncoding, "the file is UTF-16");
        return Err(error.hint("write it as UTF-8 (in PowerShell: `| Out-File -Encoding utf8`)"));
    }
    let marked = bytes.starts_with(&[0xef, 0xbb, 0xbf]);
    let bytes = match bytes {
        Cow::Borrowed(b) => Cow::Borrowed(if marked { &b[3..] } else { b }),
        Cow::Owned(b) => Cow::Owned(if marked { b[3..].to_vec() } else { b }),
    };
    if let Some(version) = gatling::binary_version(&bytes) {
        let message =
            format!("the file is the binary log of Gatling {version}, which we do not read");
        return Err(ParseError::new(ErrorKind::UnsupportedBinary, message)
            .hint("Gatling writes a text log up to 3.11"));
    }
    if bytes.iter().take(4096).any(|&b| b == 0) {
        return Err(binary(&bytes));
    }
    let text = match bytes {
        // Checking is several times quicker than looking for what to replace.
        Cow::Borrowed(b) => {
            str::from_utf8(b).map_or_else(|_| String::from_utf8_lossy(b), Cow::Borrowed)
        }
        Cow::Owned(b) => match String::from_utf8(b) {
            Ok(text) => return not_blank(Cow::Owned(text)),
            Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
        },
    };
    // What was borrowed whole was UTF-8 already.
    if matches!(text, Cow::Owned(_)) {
        warnings.push("bytes that are no UTF-8 were replaced".into());
    }
    not_blank(text)
}

fn binary(bytes: &[u8]) -> ParseError {
    if vegeta::is_gob(bytes) {
        let message = "the file is in vegeta's binary encoding (gob), which we do not read";
        return ParseError::new(ErrorKind::UnsupportedBinary, message)
            .hint("run `vegeta encode --to json` and send what it writes");
    }
    let message = "the file is binary, in no encoding that we read";
    ParseError::new(ErrorKind::UnsupportedBinary, message)
        .hint("let the tool write its text or JSON output")
}

fn not_blank(text: Cow<'_, str>) -> Result<Cow<'_, str>, ParseError> {
    if text.trim().is_empty() {
        let error = ParseError::new(
            ErrorKind::EmptyFile,
            "the file is empty (0 bytes): the tool produced no result",
        );
        return Err(
            error.hint("it was interrupted, failed, or matched no benchmark: see its own output")
        );
    }
    Ok(text)
}

fn recognise(text: &str) -> Result<Shape, ParseError> {
    let start = text.trim_start();
    if !start.starts_with(['{', '[']) {
        return Ok(Shape::Text);
    }
    let (first, rest) = start.split_once('\n').unwrap_or((start, ""));
    if let Some(result) = vegeta::first_result(first) {
        return Ok(Shape::Lines(result));
    }
    if !rest.trim().is_empty()
        && first.len() <= limits::LINE_BYTES
        && let Some(value) = json::parse(first).ok().filter(Value::is_object)
    {
        return Ok(Shape::Lines(value));
    }
    if let Some(document) = longwatch::document(start) {
        return Ok(Shape::Own(document));
    }
    match json::parse(text) {
        Ok(value) => Ok(Shape::Json(value)),
        Err(error) if error.kind == ErrorKind::TooLarge => Err(error),
        Err(error) => Ok(Shape::BrokenJson(error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::io::Write;

    use super::*;

    fn kind(bytes: &[u8]) -> ErrorKind {
        Input::read(bytes).unwrap_err().kind
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn nothing_is_told_apart_from_something_broken() {
        assert_eq!(kind(b""), ErrorKind::EmptyFile);
        assert_eq!(kind(b"\xef\xbb\xbf \n"), ErrorKind::EmptyFile);
        assert_eq!(kind(b"\xff\xfe{\0}\0"), ErrorKind::UnsupportedEncoding);
        assert_eq!(kind(b"abc\0def"), ErrorKind::UnsupportedBinary);
    }

    #[test]
    fn shapes_are_recognised() {
        let shape = |text: &'static str| Input::read(text.as_bytes()).unwrap().shape;
        assert!(matches!(shape("\u{feff}{\n\"a\": 1}"), Shape::Json(_)));
        assert!(matches!(shape("{\"a\": 1}\n"), Shape::Json(_)));
        assert!(matches!(shape("{\"a\": 1}\n{\"b\": 2}\n"), Shape::Lines(_)));
        assert!(matches!(shape("[1,\n2]"), Shape::Json(_)));
        assert!(matches!(shape("{\"a\": "), Shape::BrokenJson(_)));
        assert!(matches!(shape("goos: linux"), Shape::Text));
    }

    #[test]
    fn gzip_is_opened_within_its_limits() {
        assert!(
            Input::read(&gzip(b"{\"a\": 1}"))
                .unwrap()
                .document()
                .is_some()
        );
        let whole = gzip(&b"some text ".repeat(100));
        assert_eq!(kind(&whole[..whole.len() - 9]), ErrorKind::CorruptGzip);
        assert_eq!(kind(&gzip(&vec![b' '; 3 << 20])), ErrorKind::TooLarge);
    }

    #[test]
    fn bytes_that_are_no_utf8_are_replaced_and_that_is_said() {
        let input = Input::read(b"name \xff").unwrap();
        assert_eq!((&*input.text, input.warnings.len()), ("name \u{fffd}", 1));
        assert!(
            Input::read("name \u{fffd}".as_bytes())
                .unwrap()
                .warnings
                .is_empty()
        );
        assert_eq!(Input::read(&gzip(b"name \xff")).unwrap().warnings.len(), 1);
    }

    #[test]
    fn a_bad_line_is_named() {
        let input = Input::read(b"{\"a\": 1}\n\n{\"b\": }\n").unwrap();
        let error = input.records().find_map(Result::err).unwrap();
        assert_eq!(error.place.unwrap().line, Some(3));
    }
}
