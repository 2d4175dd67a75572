//! Delimited text read row by row within limits.

use csv::{ReaderBuilder, StringRecord};

use crate::error::{ErrorKind, ParseError};
use crate::limits;

/// Every row with the line on which it begins. Fields may be quoted and hold line breaks; rows may differ in length.
pub(crate) fn rows(
    text: &str,
    delimiter: u8,
) -> impl Iterator<Item = Result<(u64, StringRecord), ParseError>> + '_ {
    let reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    reader.into_records().map(|row| {
        let row = row.map_err(|e| ParseError::new(ErrorKind::WrongFormat, e.to_string()))?;
        let line = row.position().map_or(0, csv::Position::line);
        if row.as_slice().len() > limits::LINE_BYTES {
            let message = format!("a row is longer than {} bytes", limits::LINE_BYTES);
            return Err(ParseError::new(ErrorKind::TooLarge, message).at_line(line as usize));
        }
        Ok((line, row))
    })
}

/// The first line that is not blank.
pub(crate) fn first_line(text: &str) -> &str {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| !line.is_empty()).unwrap_or_default()
}

/// The fields of one line.
pub(crate) fn fields(line: &str, delimiter: u8) -> StringRecord {
    let first = rows(line, delimiter).next().and_then(Result::ok);
    first.map(|(_, row)| row).unwrap_or_default()
}
