//! Flows: which lab and field names are one unit of work, and which series were renamed.

use std::collections::BTreeMap;

use collectors::report::Source;

use super::error::ConfigError;
use super::table::Table;

/// A `[[flow]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// The name people use.
    pub name: String,
    /// Whether it is one of the flows that matter most.
    pub key: bool,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What belongs to it besides the series that carry its very name.
    pub matches: Vec<FlowMatch>,
}

/// A `[[flow.match]]`: all that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowMatch {
    /// Only from this source.
    pub source: Option<Source>,
    /// The tool's own name; `*` stands for any text, also none.
    pub name: String,
    /// Only this metric.
    pub metric: Option<String>,
    /// Only series that carry these labels, perhaps among others.
    pub labels: BTreeMap<String, String>,
}

/// The words for sources in the file.
pub(super) const SOURCES: &[(&str, Source)] = &[
    ("bench", Source::Bench),
    ("load", Source::Load),
    ("lab", Source::Lab),
    ("rum", Source::Rum),
    ("telemetry", Source::Telemetry),
];

/// The word for a source, as in `source = "bench"`.
pub(super) fn source_word(source: Source) -> &'static str {
    SOURCES
        .iter()
        .find(|(_, known)| *known == source)
        .map_or("", |(word, _)| word)
}

impl Flow {
    pub(super) fn read(table: &Table<'_>) -> Result<Self, ConfigError> {
        table.only(&["name", "key", "owner", "match"])?;
        Ok(Self {
            name: table.required("name", table.text("name")?, "\"checkout\"")?,
            key: table.flag("key")?.unwrap_or(false),
            owner: table.text("owner")?,
            matches: table
                .tables("match")?
                .iter()
                .map(FlowMatch::read)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl FlowMatch {
    fn read(table: &Table<'_>) -> Result<Self, ConfigError> {
        table.only(&["source", "name", "metric", "labels"])?;
        Ok(Self {
            source: table.word("source", SOURCES)?,
            name: table.required("name", table.text("name")?, "\"POST /checkout*\"")?,
            metric: table.text("metric")?,
            labels: table.labels("labels")?,
        })
    }

    pub(super) fn holds(
        &self,
        source: Source,
        name: &str,
        metric: &str,
        labels: &BTreeMap<String, String>,
    ) -> bool {
        self.source.is_none_or(|wanted| wanted == source)
            && self.metric.as_deref().is_none_or(|wanted| wanted == metric)
            && carries(labels, &self.labels)
            && fits(&self.name, name)
    }
}

/// Whether `labels` has every pair of `wanted`.
pub(super) fn carries(
    labels: &BTreeMap<String, String>,
    wanted: &BTreeMap<String, String>,
) -> bool {
    wanted
        .iter()
        .all(|(name, value)| labels.get(name) == Some(value))
}

/// Whether `text` fits `pattern`, in which `*` stands for any text. Time is at most the product of both lengths.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while at_text < text.len() {
        if pattern.get(at_pattern) == Some(&b'*') {
            last_star = Some((at_pattern, at_text));
            at_pattern += 1;
        } else if pattern.get(at_pattern) == Some(&text[at_text]) {
            at_pattern += 1;
            at_text += 1;
        } else if let Some((star, taken)) = last_star {
            last_star = Some((star, taken + 1));
            at_pattern = star + 1;
            at_text = taken + 1;
        } else {
            return false;
        }
    }
    pattern[at_pattern..].iter().all(|byte| *byte == b'*')
}

/// A `[[series_alias]]`: a renamed benchmark keeps its history. Both names may begin with their source and a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The old name.
    pub from: String,
    /// The name under which the series goes on.
    pub to: String,
}

impl Alias {
    pub(super) fn read(table: &Table<'_>) -> Result<Self, ConfigError> {
        table.only(&["from", "to"])?;
        Ok(Self {
            from: table.required("from", table.text("from")?, "\"bench/checkout_v1\"")?,
            to: table.required("to", table.text("to")?, "\"bench/checkout\"")?,
        })
    }
}

/// The last name of the chain that begins with `name`; `None` where the chain comes back to itself.
pub(super) fn chain_end<'a>(aliases: &'a [Alias], name: &'a str) -> Option<&'a str> {
    let mut current = name;
    for _ in 0..=aliases.len() {
        match aliases.iter().find(|alias| alias.from == current) {
            Some(alias) => current = &alias.to,
            None => return Some(current),
        }
    }
    None
}

/// Aliases that lead straight to the last name. Chains have been checked to end.
pub(super) fn resolve_chains(aliases: &[Alias]) -> Vec<Alias> {
    let straight = |alias: &Alias| Alias {
        from: alias.from.clone(),
        to: chain_end(aliases, &alias.to)
            .unwrap_or(&alias.to)
            .to_owned(),
    };
    aliases.iter().map(straight).collect()
}

#[cfg(test)]
mod tests {
    use super::{Alias, chain_end, fits, resolve_chains};

    #[test]
    fn a_star_stands_for_any_text_and_nothing_else_does() {
        for (pattern, text, fit) in [
            ("POST /checkout*", "POST /checkout", true),
            ("POST /checkout*", "POST /checkout/pay", true),
            ("POST /checkout*", "GET /checkout", false),
            ("*", "", true),
            ("", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b", false),
            ("a.c", "abc", false),
            ("*größe", "die größe", true),
        ] {
            assert_eq!(fits(pattern, text), fit, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_end_in_time() {
        assert!(!fits(&"*a".repeat(50), &"a".repeat(49)));
    }

    #[test]
    fn chains_lead_to_their_last_name_and_circles_to_none() {
        let alias = |from: &str, to: &str| Alias {
            from: from.to_owned(),
            to: to.to_owned(),
        };
        let chain = [alias("a", "b"), alias("b", "c")];
        assert_eq!(resolve_chains(&chain), [alias("a", "c"), alias("b", "c")]);
        assert_eq!(chain_end(&[alias("a", "b"), alias("b", "a")], "a"), None);
    }
}
