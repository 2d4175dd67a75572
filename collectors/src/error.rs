//! Why a file was refused, in words that help its sender, with the place.

use std::fmt;

use serde::{Serialize, Serializer};

/// What kind of refusal it is; the text is stable and the same over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Nothing was written: the tool was interrupted or matched no benchmark. Run it again.
    EmptyFile,
    /// JSON that does not parse. Write the file again; it may have been cut short.
    InvalidJson,
    /// XML that does not parse.
    InvalidXml,
    /// Not a format that we read, or not the one that was asked for. Choose another output of the tool, or `--format`.
    WrongFormat,
    /// A binary file that we do not read. Let the tool write text.
    UnsupportedBinary,
    /// Text in an encoding other than UTF-8. Convert it.
    UnsupportedEncoding,
    /// An HdrHistogram payload that is broken. Encode it again as V2.
    CorruptHdrPayload,
    /// A gzip stream that is broken.
    CorruptGzip,
    /// A protobuf message that is broken.
    InvalidProtobuf,
    /// OpenMetrics or Prometheus text that breaks its own rules.
    InvalidOpenmetrics,
    /// The tool ran but has no result. See its own output.
    NoResult,
    /// The tool says in its output that it failed.
    ToolReportedError,
    /// A value of the right type in the wrong place, or the other way round.
    InvalidValue,
    /// The file does not say its unit. Give `--unit`.
    UnitMissing,
    /// One flow was named for a file that holds several. Leave `--flow` out.
    AmbiguousFlow,
    /// A limit was passed; the message names it. Split the file.
    TooLarge,
    /// The file could not be read from disk.
    Unreadable,
}

impl ErrorKind {
    /// The stable text.
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::EmptyFile => "empty_file",
            ErrorKind::InvalidJson => "invalid_json",
            ErrorKind::InvalidXml => "invalid_xml",
            ErrorKind::WrongFormat => "wrong_format",
            ErrorKind::UnsupportedBinary => "unsupported_binary",
            ErrorKind::UnsupportedEncoding => "unsupported_encoding",
            ErrorKind::CorruptHdrPayload => "corrupt_hdr_payload",
            ErrorKind::CorruptGzip => "corrupt_gzip",
            ErrorKind::InvalidProtobuf => "invalid_protobuf",
            ErrorKind::InvalidOpenmetrics => "invalid_openmetrics",
            ErrorKind::NoResult => "no_result",
            ErrorKind::ToolReportedError => "tool_reported_error",
            ErrorKind::InvalidValue => "invalid_value",
            ErrorKind::UnitMissing => "unit_missing",
            ErrorKind::AmbiguousFlow => "ambiguous_flow",
            ErrorKind::TooLarge => "too_large",
            ErrorKind::Unreadable => "unreadable",
        }
    }

    /// Whether it says that there is nothing to take, rather than that something is wrong with the file.
    pub fn is_nothing(self) -> bool {
        matches!(self, ErrorKind::EmptyFile | ErrorKind::NoResult)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for ErrorKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Where in a file; only what is known is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Place {
    /// Byte offset from the start of the text, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte: Option<u64>,
    /// Line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Column, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// Which record of the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.line.map(|n| format!("line {n}")));
        parts.extend(self.column.map(|n| format!("column {n}")));
        parts.extend(self.byte.map(|n| format!("byte {n}")));
        parts.extend(self.record.map(|n| format!("record {n}")));
        parts.extend(self.pointer.as_ref().map(|p| format!("at {p}")));
        f.write_str(&parts.join(", "))
    }
}

/// A refused file: kind, place, what is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParseError {
    /// What kind of refusal.
    pub kind: ErrorKind,
    /// Where, if somewhere.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub place: Option<Box<Place>>,
    /// What is wrong.
    pub message: String,
    /// What the sender can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl ParseError {
    /// A refusal without place or hint.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        ParseError {
            kind,
            place: None,
            message: message.into(),
            hint: None,
        }
    }

    /// The same with what the sender can do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same at a place.
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(Box::new(place));
        self
    }

    /// The same at a JSON pointer.
    pub fn at_pointer(self, pointer: impl Into<String>) -> Self {
        self.at(Place {
            pointer: Some(pointer.into()),
            ..Place::default()
        })
    }

    /// The same with its line in the file, where it was found within one line.
    pub fn on_line(mut self, line: usize) -> Self {
        self.place.get_or_insert_default().line = Some(line as u64);
        self
    }

    /// The same at a line, counted from 1.
    pub fn at_line(self, line: usize) -> Self {
        self.at(Place {
            line: Some(line as u64),
            ..Place::default()
        })
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(place) = &self.place {
            write!(f, " ({place})")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ParseError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_as_a_sentence_with_its_place_and_a_hint() {
        let error = ParseError::new(ErrorKind::InvalidJson, "expected a comma")
            .at_line(3)
            .hint("was the file cut short?");
        assert_eq!(
            error.to_string(),
            "expected a comma (line 3); was the file cut short?"
        );
        let json = serde_json::json!({"kind": "invalid_json", "where": {"line": 3}, "message": "expected a comma", "hint": "was the file cut short?"});
        assert_eq!(serde_json::to_value(&error).ok(), Some(json));
    }
}
