//! One line of Prometheus text or of OpenMetrics, whose grammar forgives nothing.

/// Which of the two grammars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Prometheus text 0.0.4: any white space, comments, timestamps in milliseconds.
    Text,
    /// OpenMetrics 1.0: single spaces, no comments, exemplars, timestamps in seconds.
    OpenMetrics,
}

/// What a line says.
#[derive(Debug)]
pub(super) enum Line<'a> {
    /// `# HELP name …`.
    Help(&'a str),
    /// `# TYPE name type`.
    Type(&'a str, &'a str),
    /// `# UNIT name unit`.
    Unit(&'a str, &'a str),
    /// `# EOF`.
    End,
    /// A comment, or nothing.
    Nothing,
    /// A value.
    Sample(Sample),
}

/// One value of one metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub(super) name: String,
    /// In file order, each name once.
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
    /// In the dialect's unit.
    pub(super) timestamp: Option<f64>,
    /// Whether an exemplar follows it.
    pub(super) exemplar: bool,
}

impl Sample {
    /// A label's value.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(key, _)| key == name)?;
        Some(&found.1)
    }
}

/// Code points that the labels of an exemplar may have in all.
const EXEMPLAR_LABEL_CHARS: usize = 128;

/// Reads a line without its end. Errs with what is wrong with it.
pub(super) fn read(text: &str, dialect: Dialect) -> Result<Line<'_>, String> {
    match dialect {
        Dialect::Text => {
            let text = text.trim_matches([' ', '\t', '\r']);
            match text.strip_prefix('#') {
                Some(comment) => metadata_of_text(comment),
                None if text.is_empty() => Ok(Line::Nothing),
                None => sample(text, dialect).map(Line::Sample),
            }
        }
        Dialect::OpenMetrics if text == "# EOF" => Ok(Line::End),
        Dialect::OpenMetrics if text.is_empty() => Err("a blank line".into()),
        Dialect::OpenMetrics => match text.strip_prefix('#') {
            Some(comment) => metadata(comment),
            None => sample(text, dialect).map(Line::Sample),
        },
    }
}

fn metadata(comment: &str) -> Result<Line<'_>, String> {
    let parts: Vec<&str> = comment.splitn(4, ' ').collect();
    match parts[..] {
        ["", _, name, _] if !is_name(unquoted(name), true) => {
            Err(format!("{name:?} is no name of a metric"))
        }
        ["", "HELP", name, _] => Ok(Line::Help(unquoted(name))),
        ["", "TYPE", name, kind] => Ok(Line::Type(unquoted(name), kind)),
        ["", "UNIT", name, unit] => Ok(Line::Unit(unquoted(name), unit)),
        _ => Err("neither HELP, TYPE, UNIT with name and text nor EOF".into()),
    }
}

fn metadata_of_text(comment: &str) -> Result<Line<'_>, String> {
    let mut words = comment.split_ascii_whitespace();
    let separated = comment.starts_with([' ', '\t']);
    match (separated, words.next(), words.next(), words.next()) {
        (true, Some("HELP"), Some(name), _) => Ok(Line::Help(unquoted(name))),
        (true, Some("TYPE"), Some(name), Some(kind)) => Ok(Line::Type(unquoted(name), kind)),
        (true, Some("TYPE"), _, _) => Err("TYPE without a name and a type".into()),
        _ => Ok(Line::Nothing),
    }
}

fn unquoted(name: &str) -> &str {
    let inner = name.strip_prefix('"').and_then(|n| n.strip_suffix('"'));
    inner.filter(|n| !n.is_empty()).unwrap_or(name)
}

/// Letters, digits, `_` and where `colons` `:`, not beginning with a digit.
fn is_name(name: &str, colons: bool) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || colons && c == ':';
    !name.is_empty() && name.chars().all(allowed) && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn sample(text: &str, dialect: Dialect) -> Result<Sample, String> {
    let mut rest = Rest { text, dialect };
    let mut name = rest.until(&['{', ' ', '\t']).to_owned();
    rest.white();
    let mut labels = Vec::new();
    if rest.eat('{') {
        let quoted_name = rest.labels(&mut labels)?;
        if name.is_empty() {
            // Names beyond ASCII stand in quotes among the labels.
            name = quoted_name.ok_or("no name before the labels")?;
        } else if !is_name(&name, true) || quoted_name.is_some() {
            return Err(format!("{name:?} is no name of a metric"));
        }
    } else if !is_name(&name, true) {
        return Err(format!("{name:?} is no name of a metric"));
    }
    rest.gap("before the value")?;
    let value = number(rest.word(), "value")?;
    let mut found = Sample {
        name,
        labels,
        value,
        timestamp: None,
        exemplar: false,
    };
    if rest.text.is_empty() {
        return Ok(found);
    }
    rest.gap("after the value")?;
    if !rest.text.starts_with('#') {
        found.timestamp = Some(timestamp(rest.word())?);
        if rest.text.is_empty() {
            return Ok(found);
        }
        rest.gap("after the timestamp")?;
    }
    if dialect == Dialect::Text {
        return Err(
            "more than a value and a timestamp (OpenMetrics with exemplars ends in `# EOF`)".into(),
        );
    }
    rest.exemplar()?;
    found.exemplar = true;
    Ok(found)
}

fn number(word: &str, what: &str) -> Result<f64, String> {
    word.parse()
        .map_err(|_| format!("the {what} {word:?} is no number"))
}

fn timestamp(word: &str) -> Result<f64, String> {
    number(word, "timestamp").and_then(|time| {
        Some(time)
            .filter(|t| t.is_finite())
            .ok_or_else(|| format!("the timestamp {word:?} is no time"))
    })
}

/// What of a line has not been read yet.
struct Rest<'a> {
    text: &'a str,
    dialect: Dialect,
}

impl<'a> Rest<'a> {
    fn eat(&mut self, c: char) -> bool {
        let rest = self.text.strip_prefix(c);
        self.text = rest.unwrap_or(self.text);
        rest.is_some()
    }

    fn until(&mut self, ends: &[char]) -> &'a str {
        let end = self.text.find(ends).unwrap_or(self.text.len());
        let (word, rest) = self.text.split_at(end);
        self.text = rest;
        word
    }

    fn word(&mut self) -> &'a str {
        match self.dialect {
            Dialect::Text => self.until(&[' ', '\t']),
            Dialect::OpenMetrics => self.until(&[' ']),
        }
    }

    /// White space where only the text format lets it stand.
    fn white(&mut self) {
        if self.dialect == Dialect::Text {
            self.text = self.text.trim_start_matches([' ', '\t']);
        }
    }

    /// White space that parts two words: one space in OpenMetrics; the text format needs none after a brace.
    fn gap(&mut self, place: &str) -> Result<(), String> {
        self.white();
        if self.dialect == Dialect::Text || self.eat(' ') {
            Ok(())
        } else {
            Err(format!("no space {place}"))
        }
    }

    /// Labels up to the closing brace, and the metric's name where that stands in quotes among them.
    fn labels(&mut self, labels: &mut Vec<(String, String)>) -> Result<Option<String>, String> {
        let mut metric = None;
        self.white();
        if self.eat('}') {
            return Ok(None);
        }
        loop {
            self.white();
            let quoted = self.eat('"');
            let name = if quoted {
                self.quoted()?
            } else {
                self.until(&['=', ' ', '\t', ',', '}', '"']).to_owned()
            };
            self.white();
            if !self.eat('=') {
                if !quoted || metric.is_some() || !labels.is_empty() || name.is_empty() {
                    return Err(format!("the label {name:?} has no value"));
                }
                metric = Some(name);
            } else {
                self.white();
                if !quoted && !is_name(&name, false) || name.is_empty() {
                    return Err(format!("{name:?} is no name of a label"));
                }
                if !self.eat('"') {
                    return Err(format!("the value of label {name:?} is not in quotes"));
                }
                let value = self.quoted()?;
                if labels.iter().any(|(key, _)| *key == name) {
                    return Err(format!("the label {name:?} stands there twice"));
                }
                labels.push((name, value));
                if labels.len() > 2 * crate::limits::LABELS {
                    return Err("too many labels".into());
                }
            }
            self.white();
            if self.eat(',') {
                self.white();
                // The text format lets a comma stand at the end.
                if self.dialect == Dialect::OpenMetrics || !self.eat('}') {
                    continue;
                }
                return Ok(metric);
            }
            if self.eat('}') {
                return Ok(metric);
            }
            return Err("no comma between labels, or no closing brace".into());
        }
    }

    /// Text up to the closing quote, which is read too.
    fn quoted(&mut self) -> Result<String, String> {
        let mut value = String::new();
        let mut chars = self.text.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.text = &self.text[at + 1..];
                    return Ok(value);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, c @ ('\\' | '"'))) => value.push(c),
                    Some((_, c)) => value.extend(['\\', c]),
                    None => break,
                },
                c => value.push(c),
            }
        }
        Err("a quote is not closed".into())
    }

    fn exemplar(&mut self) -> Result<(), String> {
        if !(self.eat('#') && self.eat(' ') && self.eat('{')) {
            return Err("an exemplar does not begin with `# {`".into());
        }
        let mut labels = Vec::new();
        if self.labels(&mut labels)?.is_some() {
            return Err("an exemplar has no name".into());
        }
        let chars: usize = labels
            .iter()
            .map(|(key, value)| key.chars().count() + value.chars().count())
            .sum();
        if chars > EXEMPLAR_LABEL_CHARS {
            return Err(format!(
                "the labels of an exemplar have more than {EXEMPLAR_LABEL_CHARS} characters"
            ));
        }
        self.gap("before the exemplar's value")?;
        number(self.word(), "exemplar's value")?;
        if self.text.is_empty() {
            return Ok(());
        }
        self.gap("after the exemplar's value")?;
        timestamp(self.word())?;
        match self.text {
            "" => Ok(()),
            _ => Err("something follows the exemplar".into()),
        }
    }
}
