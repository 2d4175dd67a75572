//! Reads typed fields out of a TOML table and keeps, for every fault, the place in the file.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::nearest::suggestion;
use super::period::Unreadable;

/// A file that is valid TOML.
pub(super) struct Document<'i> {
    text: &'i str,
    root: Spanned<DeTable<'i>>,
}

impl<'i> Document<'i> {
    /// Errs where the text is no TOML.
    pub(super) fn read(text: &'i str) -> Result<Self, ConfigError> {
        let root = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            ConfigError::at(
                text,
                at,
                "",
                error.message().lines().collect::<Vec<_>>().join("; "),
                "the file must be valid TOML",
            )
        })?;
        Ok(Self { text, root })
    }

    /// The file's outermost table.
    pub(super) fn root(&self) -> Table<'_> {
        Table {
            text: self.text,
            path: String::new(),
            span: 0..0,
            entries: self.root.get_ref(),
        }
    }
}

/// A table with its path in the file.
pub(super) struct Table<'t> {
    text: &'t str,
    path: String,
    span: Range<usize>,
    entries: &'t DeTable<'t>,
}

type Field<T> = Result<Option<T>, ConfigError>;

impl<'t> Table<'t> {
    /// Refuses any key that is not in `known`, naming the nearest one.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), ConfigError> {
        let mut unknown: Vec<_> = self
            .entries
            .keys()
            .filter(|key| !known.contains(&key.get_ref().as_ref()))
            .collect();
        unknown.sort_by_key(|key| key.span().start);
        match unknown.first() {
            None => Ok(()),
            Some(key) => {
                let name = key.get_ref().as_ref();
                let hint = suggestion(name, known.iter().copied());
                Err(ConfigError::at(
                    self.text,
                    key.span().start,
                    &self.field(name),
                    format!("unknown key `{name}`"),
                    hint,
                ))
            }
        }
    }

    /// A fault of the field `key`, or of the table itself where the key is absent.
    pub(super) fn fault(
        &self,
        key: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> ConfigError {
        let at = self
            .entries
            .get(key)
            .map_or(self.span.start, |value| value.span().start);
        ConfigError::at(self.text, at, &self.field(key), message, hint)
    }

    /// The value of a field that must be there; `example` is what one could write.
    pub(super) fn required<T>(
        &self,
        key: &str,
        value: Option<T>,
        example: &str,
    ) -> Result<T, ConfigError> {
        value.ok_or_else(|| {
            self.fault(
                key,
                format!("`{key}` is missing"),
                format!("write for example `{key} = {example}`"),
            )
        })
    }

    /// A text that is not blank.
    pub(super) fn text(&self, key: &str) -> Field<String> {
        let Some(value) = self.entries.get(key) else {
            return Ok(None);
        };
        match value.get_ref().as_str() {
            Some(text) if text.trim().is_empty() => {
                Err(self.fault(key, "is empty", "give it a name, or leave the key out"))
            }
            Some(text) if text.contains('\0') => {
                Err(self.fault(key, "holds the character U+0000", "leave it out"))
            }
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(self.wrong_kind(key, "a text in quotes")),
        }
    }

    /// A list of texts; empty where absent.
    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>, ConfigError> {
        let Some(value) = self.entries.get(key) else {
            return Ok(Vec::new());
        };
        let kind = "a list of texts";
        let items = value
            .get_ref()
            .as_array()
            .ok_or_else(|| self.wrong_kind(key, kind))?;
        items
            .iter()
            .map(|item| {
                item.get_ref()
                    .as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| self.wrong_kind(key, kind))
            })
            .collect()
    }

    /// Pairs of texts; empty where absent.
    pub(super) fn labels(&self, key: &str) -> Result<BTreeMap<String, String>, ConfigError> {
        let Some(value) = self.entries.get(key) else {
            return Ok(BTreeMap::new());
        };
        let kind = "a table of texts, as in { device = \"mobile\" }";
        let table = value
            .get_ref()
            .as_table()
            .ok_or_else(|| self.wrong_kind(key, kind))?;
        table
            .iter()
            .map(|(name, text)| match text.get_ref().as_str() {
                Some(text) => Ok((name.get_ref().to_string(), text.to_owned())),
                None => Err(self.wrong_kind(key, kind)),
            })
            .collect()
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, key: &str) -> Field<bool> {
        let Some(value) = self.entries.get(key) else {
            return Ok(None);
        };
        value
            .get_ref()
            .as_bool()
            .map(Some)
            .ok_or_else(|| self.wrong_kind(key, "true or false"))
    }

    /// A number, whole or not.
    pub(super) fn number(&self, key: &str) -> Field<f64> {
        let Some(value) = self.entries.get(key) else {
            return Ok(None);
        };
        numeral(value.get_ref())
            .map(Some)
            .ok_or_else(|| self.wrong_kind(key, "a number"))
    }

    /// A whole number from 1 up.
    pub(super) fn count(&self, key: &str) -> Field<u64> {
        let Some(value) = self.entries.get(key) else {
            return Ok(None);
        };
        let whole = value
            .get_ref()
            .as_integer()
            .and_then(|integer| u64::from_str_radix(integer.as_str(), integer.radix()).ok());
        whole
            .filter(|count| *count > 0)
            .map(Some)
            .ok_or_else(|| self.wrong_kind(key, "a whole number from 1 up"))
    }

    /// A day, bare or in quotes.
    pub(super) fn date(&self, key: &str) -> Field<Date> {
        let Some(value) = self.entries.get(key) else {
            return Ok(None);
        };
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(day) => day.to_string(),
            _ => String::new(),
        };
        let is_day_alone = text.len() == "2027-01-31".len();
        let day = text.parse::<Date>().ok().filter(|_| is_day_alone);
        day.map(Some)
            .ok_or_else(|| self.wrong_kind(key, "a day, as in 2027-01-31"))
    }

    /// A value with its own notation (`"2.5 s"`, `"24h"`); a bare number reads as its text.
    pub(super) fn value<T: std::str::FromStr<Err = Unreadable>>(&self, key: &str) -> Field<T> {
        let Some(value) = self.entries.get(key) else {
            return Ok(None);
        };
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            number => numeral(number)
                .map(|n| n.to_string())
                .ok_or_else(|| self.wrong_kind(key, "a text in quotes"))?,
        };
        text.parse()
            .map(Some)
            .map_err(|error: Unreadable| self.fault(key, error.message, error.hint))
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, key: &str, words: &[(&'static str, T)]) -> Field<T> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => Err(self.fault(
                key,
                format!("`{text}` is not known"),
                suggestion(&text, words.iter().map(|(word, _)| *word)),
            )),
        }
    }

    /// A table of its own.
    pub(super) fn table(&self, key: &str) -> Field<Table<'t>> {
        let Some(value) = self.entries.get(key) else {
            return Ok(None);
        };
        let entries = value
            .get_ref()
            .as_table()
            .ok_or_else(|| self.wrong_kind(key, "a table"))?;
        Ok(Some(Table {
            text: self.text,
            path: self.field(key),
            span: value.span(),
            entries,
        }))
    }

    /// A list of tables, in file order; empty where absent.
    pub(super) fn tables(&self, key: &str) -> Result<Vec<Table<'t>>, ConfigError> {
        let Some(value) = self.entries.get(key) else {
            return Ok(Vec::new());
        };
        let kind = format!("a list of tables, each begun by [[{key}]]");
        let items = value
            .get_ref()
            .as_array()
            .ok_or_else(|| self.wrong_kind(key, &kind))?;
        items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let entries = item
                    .get_ref()
                    .as_table()
                    .ok_or_else(|| self.wrong_kind(key, &kind))?;
                let path = format!("{}[{index}]", self.field(key));
                Ok(Table {
                    text: self.text,
                    path,
                    span: item.span(),
                    entries,
                })
            })
            .collect()
    }

    fn field(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    fn wrong_kind(&self, key: &str, wanted: &str) -> ConfigError {
        let found = self
            .entries
            .get(key)
            .map_or("nothing", |value| value.get_ref().type_str());
        self.fault(key, format!("is not {wanted}"), format!("found: {found}"))
    }
}

fn numeral(value: &DeValue<'_>) -> Option<f64> {
    let number = match value {
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .map(|n| n as f64),
        DeValue::Float(float) => float.as_str().parse().ok(),
        _ => None,
    };
    number.filter(|n: &f64| n.is_finite())
}
