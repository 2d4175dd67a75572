//! A verdict as a comment on a pull request: verdict first, few rows.

use super::verdict::{Answer, Check, Verdict};

/// How many rows a reader takes in.
const ROWS: usize = 10;

/// The whole comment.
pub(super) fn page(verdict: &Verdict) -> String {
    let checks = verdict.in_order();
    let mut page = format!(
        "### {} {}\n\n",
        mark(verdict.verdict),
        cell(&verdict.headline())
    );
    if !checks.is_empty() {
        page.push_str("| | series | change | reason |\n|---|---|---|---|\n");
        page.extend(checks.iter().take(ROWS).map(|check| row(check)));
    }
    if checks.len() > ROWS {
        page.push_str(&format!("\n{} more checks.\n", checks.len() - ROWS));
    }
    if let Some(url) = &verdict.url {
        page.push_str(&format!("\n[Evidence]({url})\n"));
    }
    page
}

fn row(check: &Check) -> String {
    format!(
        "| {} {} | {} | {} | {} |\n",
        mark(check.verdict),
        check.verdict.word(),
        cell(&check.series()),
        cell(&check.change()),
        cell(&check.reason)
    )
}

/// A mark that is told apart without colour.
fn mark(answer: Answer) -> &'static str {
    match answer {
        Answer::Pass => "✓",
        Answer::Fail => "✗",
        Answer::Inconclusive => "?",
    }
}

/// Text that changes neither the table nor the page, whoever named the flow.
fn cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => safe.push(' '),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' | '@' | '!' => safe.extend(['\\', c]),
            c if c.is_control() => {}
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::super::verdict::tests::failing;
    use super::*;

    #[test]
    fn names_can_break_neither_table_nor_page() {
        let page = page(&failing());
        assert!(
            page.starts_with("### ✗ gate release, v2.38: fail"),
            "{page}"
        );
        assert!(page.contains("| ✗ fail | Parse &lt;import&gt;\\|x bench wall\\_time | +4.6 % \\[3.1, 6.2\\] | even the lowest likely value is"), "{page}");
        assert!(page.ends_with("\n[Evidence](https://lw/v/1)\n"));
    }

    #[test]
    fn more_than_ten_rows_are_counted_instead() {
        let mut verdict = failing();
        verdict.checks = vec![verdict.checks[0].clone(); 14];
        let page = page(&verdict);
        assert_eq!(page.matches("✓ pass").count(), 10);
        assert!(page.contains("4 more checks."));
    }
}
