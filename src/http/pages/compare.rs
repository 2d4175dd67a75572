//! Two releases side by side: how do they differ, for whom?

pub mod show;

use askama::Template;
use askama_web::WebTemplate;

use crate::chart::compare::{Comparison, Rung};
use crate::http::prose::Prose;
use crate::wording::finding::Manner;
use crate::wording::names::percentile_name;
use crate::wording::quantity::Quantity;

use super::facts::terms;
use super::flow::Tab;
use super::layout::Shell;

/// What can be chosen: flow, series, base, head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picker {
    /// "Base".
    pub label: &'static str,
    /// What is chosen.
    pub chosen: String,
    /// What else there is.
    pub options: Vec<Tab>,
}

/// The page.
#[derive(Debug, Clone, PartialEq, Template, WebTemplate)]
#[template(path = "compare.html")]
pub struct ComparePage {
    /// What surrounds it.
    pub shell: Shell,
    /// "Checkout LCP on mobile"; empty before anything is chosen.
    pub subject: String,
    /// How the metric gets worse.
    pub manner: Manner,
    /// What can be chosen.
    pub pickers: Vec<Picker>,
    /// The comparison; nothing before both sides are chosen or when one has no data.
    pub comparison: Option<Comparison>,
    /// Why the two cannot be compared ("measured in a new way since 14 Jun: browser 149 to 152"); may be empty.
    pub not_comparable: String,
    /// What is missing when there is no comparison; may be empty.
    pub missing: String,
}

impl ComparePage {
    /// "v2.38 is slower than v2.22 for nearly everyone".
    pub fn headline(&self) -> String {
        let Some(comparison) = &self.comparison else {
            return "Compare two releases".to_owned();
        };
        let (head, base) = (&comparison.head.0, &comparison.base.0);
        if !self.not_comparable.is_empty() {
            return format!("{head} and {base} are measured differently, not comparable");
        }
        let judged: Vec<Option<bool>> = comparison
            .rungs
            .iter()
            .map(|rung| beyond(rung, comparison.margin))
            .collect();
        let (up, down) = (
            judged.iter().filter(|j| **j == Some(true)).count(),
            judged.iter().filter(|j| **j == Some(false)).count(),
        );
        if up + down == 0 {
            return format!("{head} and {base}: no relevant difference is proven");
        }
        if up > 0 && down > 0 {
            return format!("{head} and {base} differ both ways");
        }
        let sign = if up > 0 { 1.0 } else { -1.0 };
        let whom = for_whom(&judged, &comparison.rungs);
        match self.manner.comparative(sign) {
            Some(word) => format!("{head} is {word} than {base} {whom}"),
            None => format!("{head} differs from {base} {whom}"),
        }
    }

    /// From where to where the difference goes, and where nobody can say.
    pub fn lead(&self) -> Prose {
        let Some(comparison) = self
            .comparison
            .as_ref()
            .filter(|_| self.not_comparable.is_empty())
        else {
            return Prose::of(&self.not_comparable);
        };
        let proven: Vec<(&Rung, Quantity)> = comparison
            .rungs
            .iter()
            .filter(|rung| beyond(rung, comparison.margin).is_some())
            .filter_map(|rung| Some((rung, rung.change?)))
            .collect();
        let mut lead = Prose::of(&format!("{}. ", self.subject));
        let extremes = |a: &&(&Rung, Quantity), b: &&(&Rung, Quantity)| {
            a.1.value.abs().total_cmp(&b.1.value.abs())
        };
        if let (Some(least), Some(most)) = (
            proven.iter().min_by(extremes),
            proven.iter().max_by(extremes),
        ) {
            lead = if least.0.quantile == most.0.quantile {
                lead.plain("The difference is ")
                    .bold(&most.1.signed())
                    .plain(&format!(" at {}.", name(most.0)))
            } else {
                let lead = lead
                    .plain("The difference goes from ")
                    .bold(&least.1.signed());
                let lead = lead
                    .plain(&format!(" at {} to ", name(least.0)))
                    .bold(&most.1.signed());
                lead.plain(&format!(" at {}.", name(most.0)))
            };
        }
        let mut unknown = comparison
            .rungs
            .iter()
            .filter(|rung| reading_of(rung, comparison.margin, self.manner) == CANNOT_SAY);
        match unknown.next_back() {
            Some(rung) => lead.plain(&format!(" At {} the two cannot be told apart.", name(rung))),
            None => lead,
        }
    }

    /// What a row of the table says.
    pub fn reading(&self, rung: &Rung) -> String {
        let margin = self
            .comparison
            .as_ref()
            .map_or(0.0, |comparison| comparison.margin);
        let reading = reading_of(rung, margin, self.manner);
        if beyond(rung, margin).is_some() {
            return format!(
                "{reading}, beyond ±{}",
                Quantity::exact(margin, crate::wording::unit::Unit::Percent).value()
            );
        }
        reading.to_owned()
    }

    fn class(&self, rung: &Rung) -> &'static str {
        match rung.is_worse {
            Some(true) => "worse",
            Some(false) => "better",
            None => "plain",
        }
    }

    fn terms(&self) -> Vec<(&'static str, &'static str)> {
        terms(&["P75", "range [a, b]", "margin", "epoch"])
    }
}

const CANNOT_SAY: &str = "cannot say";

/// Whether a difference is proven beyond the margin, and upwards.
pub fn beyond(rung: &Rung, margin: f64) -> Option<bool> {
    let change = rung.change?;
    if change.lower > margin {
        Some(true)
    } else if change.upper < -margin {
        Some(false)
    } else {
        None
    }
}

fn reading_of(rung: &Rung, margin: f64, manner: Manner) -> &'static str {
    let Some(change) = rung.change else {
        return "not comparable";
    };
    match beyond(rung, margin) {
        Some(_) => manner.comparative(change.value).unwrap_or("different"),
        None if change.lower >= -margin && change.upper <= margin => "no relevant difference",
        None => CANNOT_SAY,
    }
}

fn name(rung: &Rung) -> String {
    if rung.quantile == 0.5 {
        "the median".to_owned()
    } else {
        percentile_name(rung.quantile)
    }
}

/// For whom a difference holds, from the fastest to the slowest.
fn for_whom(judged: &[Option<bool>], rungs: &[Rung]) -> String {
    let proven: Vec<usize> = (0..judged.len())
        .filter(|index| judged[*index].is_some())
        .collect();
    let half = judged.len() / 2;
    match proven.as_slice() {
        all if all.len() == judged.len() => "for everyone".to_owned(),
        most if most.len() * 4 >= judged.len() * 3 => "for nearly everyone".to_owned(),
        [only] if *only + 1 < judged.len() => format!("at {}", name(&rungs[*only])),
        [first, ..] if *first >= half => "for the slowest".to_owned(),
        [.., last] if *last < half => "for the fastest".to_owned(),
        _ => "for some".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pages::layout::Account;
    use crate::wording::unit::Unit;

    fn rung(quantile: f64, change: (f64, f64, f64)) -> Rung {
        let side = Quantity::new(100.0, 99.0, 101.0, Unit::Count);
        Rung {
            quantile,
            base: side,
            head: side,
            change: Some(Quantity::percent(change.0, change.1, change.2)),
            is_worse: None,
        }
    }

    fn page(rungs: Vec<Rung>) -> ComparePage {
        let comparison = Comparison {
            id: "c".into(),
            title: "t".into(),
            unit: Unit::Count,
            base: ("v2.22".into(), String::new()),
            head: ("v2.38".into(), String::new()),
            rungs,
            margin: 2.0,
        };
        ComparePage {
            shell: Shell::bare(Account::Guest, 0),
            subject: "Checkout LCP on mobile".into(),
            manner: Manner::Speed,
            pickers: vec![],
            comparison: Some(comparison),
            not_comparable: String::new(),
            missing: String::new(),
        }
    }

    #[test]
    fn the_headline_says_who_is_touched() {
        let slower = (10.0, 8.0, 12.0);
        let unclear = (1.0, -5.0, 7.0);
        let headline = |changes: &[(f64, f64, f64)]| {
            page(
                changes
                    .iter()
                    .enumerate()
                    .map(|(k, change)| rung(0.2 * k as f64, *change))
                    .collect(),
            )
            .headline()
        };
        assert_eq!(
            headline(&[slower; 4]),
            "v2.38 is slower than v2.22 for everyone"
        );
        assert_eq!(
            headline(&[slower, slower, slower, unclear]),
            "v2.38 is slower than v2.22 for nearly everyone"
        );
        assert_eq!(
            headline(&[unclear, unclear, unclear, slower]),
            "v2.38 is slower than v2.22 for the slowest"
        );
        assert_eq!(
            headline(&[unclear; 4]),
            "v2.38 and v2.22: no relevant difference is proven"
        );
        assert_eq!(
            headline(&[slower, (-10.0, -12.0, -8.0)]),
            "v2.38 and v2.22 differ both ways"
        );
    }

    #[test]
    fn a_row_reads_slower_none_or_cannot_say() {
        let page = page(vec![]);
        let read = |change| page.reading(&rung(0.75, change)).replace('\u{a0}', " ");
        assert_eq!(read((10.0, 8.0, 12.0)), "slower, beyond ±2 %");
        assert_eq!(read((0.1, -1.0, 1.2)), "no relevant difference");
        assert_eq!(read((5.0, -11.0, 20.0)), "cannot say");
    }
}
