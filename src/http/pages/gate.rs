//! A gate's verdict: pass or not, why, what now?

pub mod show;

use askama::Template;
use askama_web::WebTemplate;

use crate::chart::Svg;
use crate::chart::margin::MarginAxis;
use crate::http::prose::Prose;
use crate::wording::moment::Moment;
use crate::wording::quantity::Quantity;
use crate::wording::state::Answer;

use super::facts::{Change, Fact, terms};
use super::layout::Shell;

/// More steps than this nobody reads.
pub const STEPS: usize = 3;

/// One check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckRow {
    /// Its answer.
    pub answer: Answer,
    /// The flow's page.
    pub path: String,
    /// The flow's name.
    pub title: String,
    /// "bench · wall time P75".
    pub series: String,
    /// "no slower than v2.37", "budget 2.00 s", "fresh within 24 h".
    pub rule: String,
    /// The reference's value or the limit.
    pub reference: Option<Quantity>,
    /// The release's value, unless refused.
    pub candidate: Option<Quantity>,
    /// The change, where there are both.
    pub change: Option<Change>,
    /// The margin on the change, where the rule has one.
    pub axis: Option<MarginAxis>,
    /// Why, in words.
    pub reason: String,
}

impl CheckRow {
    /// The margin plot, where there is something to plot.
    pub fn plot(&self) -> Option<Svg> {
        let (change, axis) = (self.change.as_ref()?, self.axis?);
        Some(axis.row(&change.percent, self.answer))
    }

    /// From and to in one line, for narrow screens.
    pub fn walk(&self) -> Option<String> {
        Some(Quantity::from_to(
            self.reference.as_ref()?,
            self.candidate.as_ref()?,
        ))
    }

    /// The class of the change: a failed check is red, the rest is plain.
    pub fn class(&self) -> &'static str {
        if self.answer == Answer::Fail {
            "worse"
        } else {
            "plain"
        }
    }
}

/// A waiver that counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaiverRow {
    /// The budget's id.
    pub budget: String,
    /// "up to 2.90 s".
    pub ceiling: String,
    /// Its last day.
    pub until: Moment,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
}

/// The page.
#[derive(Debug, Clone, PartialEq, Template, WebTemplate)]
#[template(path = "gate.html")]
pub struct GatePage {
    /// What surrounds it.
    pub shell: Shell,
    /// The gate.
    pub gate: String,
    /// The release.
    pub release: String,
    /// The answer.
    pub answer: Answer,
    /// The sentence.
    pub headline: String,
    /// The most important reason.
    pub lead: Prose,
    /// Joint confidence between 0 and 1.
    pub confidence: f64,
    /// "18 runs, 3 days of field data".
    pub evidence: String,
    /// When it was asked.
    pub asked: Moment,
    /// What to do; at most [`STEPS`].
    pub steps: Vec<Prose>,
    /// The checks; shown fail, inconclusive, tracked only, pass.
    pub checks: Vec<CheckRow>,
    /// The gate's margin in percent.
    pub margin: f64,
    /// Waivers that counted.
    pub waivers: Vec<WaiverRow>,
    /// A waiver that ended lately, as a line; may be empty.
    pub ended_waiver: String,
    /// The command that asks again.
    pub command: String,
}

impl GatePage {
    /// Puts checks in the order of the page.
    pub fn sort_checks(checks: &mut [CheckRow]) {
        checks.sort_by(|a, b| a.answer.cmp(&b.answer).then_with(|| a.title.cmp(&b.title)));
    }

    /// Checks by verdict, joint confidence, evidence, asked.
    pub fn facts(&self) -> Vec<Fact> {
        let all = [
            Answer::Fail,
            Answer::Inconclusive,
            Answer::TrackedOnly,
            Answer::Pass,
        ];
        let count = |answer: Answer| {
            self.checks
                .iter()
                .filter(|check| check.answer == answer)
                .count()
        };
        let counts: Vec<String> = all
            .into_iter()
            .filter(|answer| count(*answer) > 0)
            .map(|answer| format!("{} {}", count(answer), answer.lower_word()))
            .collect();
        let confidence = format!(
            "{}\u{a0}% for all checks together",
            (self.confidence * 1000.0).round() / 10.0
        );
        vec![
            Fact::new("Checks", counts.join(" · "), ""),
            Fact::new("Confidence", confidence, ""),
            Fact::new("Evidence", self.evidence.clone(), ""),
            Fact::new("Asked", self.asked.full(), ""),
        ]
    }

    fn class(&self) -> &'static str {
        match self.answer {
            Answer::Pass => "pass",
            Answer::Fail => "fail",
            Answer::Inconclusive | Answer::TrackedOnly => "inconclusive",
        }
    }

    fn axis(&self) -> Svg {
        MarginAxis {
            margin: self.margin,
            is_mirrored: false,
        }
        .head()
    }

    fn terms(&self) -> Vec<(&'static str, &'static str)> {
        terms(&["margin", "range [a, b]", "P75"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pages::layout::Account;

    fn check(answer: Answer, title: &str) -> CheckRow {
        CheckRow {
            answer,
            path: String::new(),
            title: title.into(),
            series: String::new(),
            rule: String::new(),
            reference: None,
            candidate: None,
            change: None,
            axis: None,
            reason: String::new(),
        }
    }

    #[test]
    fn checks_are_listed_by_what_they_ask_for_and_counted() {
        let mut checks = vec![
            check(Answer::Pass, "b"),
            check(Answer::TrackedOnly, "c"),
            check(Answer::Fail, "d"),
            check(Answer::Pass, "a"),
            check(Answer::Inconclusive, "e"),
        ];
        GatePage::sort_checks(&mut checks);
        let titles: String = checks.iter().map(|check| check.title.as_str()).collect();
        assert_eq!(titles, "decab");
        let page = GatePage {
            shell: Shell::bare(Account::Guest, 0),
            gate: "release".into(),
            release: "v2.38".into(),
            answer: Answer::Fail,
            headline: String::new(),
            lead: Prose::default(),
            confidence: 0.95,
            evidence: String::new(),
            asked: Moment::new(0, 0),
            steps: vec![],
            checks,
            margin: 2.0,
            waivers: vec![],
            ended_waiver: String::new(),
            command: String::new(),
        };
        assert_eq!(
            page.facts()[0].value,
            "1 fail · 1 inconclusive · 1 tracked only · 2 pass"
        );
        assert_eq!(page.facts()[1].value, "95\u{a0}% for all checks together");
    }
}
