//! What is wrong with a `longwatch.toml`, where, and what to write instead.

use std::fmt;

/// The first fault of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// The field as a path (`budget[0].limit`); empty where the file is no TOML at all.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
}

impl ConfigError {
    /// A fault at the byte offset `at` of `text`.
    pub(super) fn at(
        text: &str,
        at: usize,
        field: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            field: field.to_owned(),
            message: message.into(),
            hint: hint.into(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)?;
        if !self.field.is_empty() {
            write!(f, ", {}", self.field)?;
        }
        write!(f, ": {}", self.message)?;
        if !self.hint.is_empty() {
            write!(f, " ({})", self.hint)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::ConfigError;

    #[test]
    fn columns_count_characters_and_lines_count_from_one() {
        let text = "a = 1\nö = \"é\" x";
        let error = ConfigError::at(text, text.len() - 1, "ö", "stray x", "");
        assert_eq!((error.line, error.column), (2, 9));
        assert_eq!(error.to_string(), "line 2, column 9, ö: stray x");
    }
}
