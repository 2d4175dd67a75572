//! CSV for spreadsheets: every cell quoted, none that a spreadsheet would run. The lossless export is JSON.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// An answer with a header line and rows, offered as `name.csv`.
pub(super) fn answer(
    name: &'static str,
    header_line: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> Response {
    let mut text = String::new();
    line(&mut text, header_line.iter().copied());
    for row in rows {
        line(&mut text, row.iter().map(String::as_str));
    }
    let disposition = format!("attachment; filename=\"{name}.csv\"");
    (
        [
            (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
            (header::CONTENT_DISPOSITION, disposition),
        ],
        text,
    )
        .into_response()
}

fn line<'a>(text: &mut String, cells: impl Iterator<Item = &'a str>) {
    for (column, cell) in cells.enumerate() {
        if column > 0 {
            text.push(',');
        }
        text.push('"');
        text.push_str(&safe(cell).replace('"', "\"\""));
        text.push('"');
    }
    text.push_str("\r\n");
}

/// The cell, with an apostrophe before what a spreadsheet would take for a formula; plain numbers stay numbers.
fn safe(cell: &str) -> String {
    let risky = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if risky && cell.parse::<f64>().is_err() {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_disarmed_and_quotes_doubled() {
        let mut text = String::new();
        line(&mut text, ["=1+1", "-2.5", "a\"b", "@x", "-x"].into_iter());
        assert_eq!(text, "\"'=1+1\",\"-2.5\",\"a\"\"b\",\"'@x\",\"'-x\"\r\n");
    }
}
