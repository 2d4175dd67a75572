//! Known findings against what a judgement sees now: one finding stays one finding while its onset and size are
//! refined; what is no longer seen is taken back with a reason, and nothing flaps.

use crate::config::Enforcement;
use crate::notifier::message;
use crate::record::{DAY_US, Measured, Record, Tracked};
use crate::stats::Interval;
use crate::stats::headroom::{self, Climbed, Forecast};
use crate::stats::judge::{Change, Kind};
use crate::stats::replay::pair;
use crate::store::{Finding, FindingChange, FindingEvent, FindingState, Id, NewDelivery};

use super::evidence::Evidence;
use super::mix::SameVisitors;

/// A finding is taken back only when so many new runs have come with which it is no longer seen.
const PATIENCE: u32 = 3;
/// A known finding that grew by half of what its owner was told is told again.
const WORSE: f64 = 1.5;
/// A change whose newest measurement is older than this is history when it is first seen: shown, not alerted.
const NEWS_US: i64 = 14 * DAY_US;
/// An improvement that gives back this share of a step or bleed ends it.
const GIVEN_BACK: f64 = 0.5;

/// One series as judged now.
pub(super) struct Judged<'a> {
    /// The record it was judged from.
    pub(super) record: &'a Record,
    /// The series.
    pub(super) tracked: &'a Tracked,
    /// The percentile watched.
    pub(super) q: Option<f64>,
    /// Its measurements, in order.
    pub(super) measured: &'a [Measured],
    /// What is seen in them.
    pub(super) changes: &'a [Change],
    /// Since when measurements are kept, microseconds; nothing where it is for ever.
    pub(super) kept_from_us: Option<i64>,
    /// Where links in alerts lead.
    pub(super) url: &'a str,
    /// Now, microseconds.
    pub(super) now_us: i64,
}

/// A change with fewer measurements left before it is no longer judged: what it was told by is forgotten.
const BASELINE: usize = 30;

/// After so many measurements at one level a bleed goes on no more.
const ENDED: usize = 10;

/// Kinds that this module keeps; breaches and missing data have rules of their own.
const KINDS: [&str; 5] = ["step", "bleed", "improvement", "epoch", "mix"];

/// What a judgement makes of a series' findings.
#[derive(Default)]
pub(super) struct Reconciled {
    /// What changes among those that are known.
    pub(super) known: Vec<FindingChange>,
    /// New ones, each with its surplus of evidence.
    pub(super) new: Vec<(f64, FindingChange)>,
}

impl Judged<'_> {
    /// What changes among the findings of the series, given those that are known.
    pub(super) fn reconcile(&self, known: Vec<Finding>) -> Reconciled {
        let known: Vec<(Finding, Evidence)> = known
            .into_iter()
            .filter(|finding| KINDS.contains(&finding.kind.as_str()))
            .filter_map(|finding| {
                let evidence = Evidence::read(&finding.evidence)?;
                Some((finding, evidence))
            })
            .collect();
        let before: Vec<Change> = known
            .iter()
            .map(|(finding, evidence)| self.as_change(finding, evidence))
            .collect();
        let references: Vec<&Change> = before.iter().collect();
        let matched = pair(&references, self.changes);
        let mut reconciled = Reconciled::default();
        for (change, matched) in self.changes.iter().zip(&matched) {
            match matched {
                // What the visitors did is looked at again when it grows: pages may have changed since.
                Some(index) if known[*index].0.kind == "mix" => {
                    let (finding, before) = &known[*index];
                    let was = before.effect_pct.map_or(0.0, |effect| effect.value.abs());
                    if change.is_firm() && change.effect_pct.value.abs() >= WORSE * was {
                        let again = self.opened(change, Some(finding));
                        reconciled.new.push((change.surplus, again));
                    }
                }
                Some(index) => {
                    let refined = self.refined(&known[*index], change);
                    reconciled.known.extend(refined);
                }
                // What the next runs may still take back is not told yet.
                None if !change.is_firm() => {}
                None => {
                    let new = self.opened(change, None);
                    reconciled.new.push((change.surplus, new));
                }
            }
        }
        for (index, (finding, evidence)) in known.iter().enumerate() {
            if !matched.contains(&Some(index)) {
                reconciled.known.extend(self.missed(finding, evidence));
            }
        }
        reconciled
    }

    /// A new finding, or what a known one becomes.
    fn opened(&self, change: &Change, known: Option<&Finding>) -> FindingChange {
        let id = known.map_or_else(Id::new, |known| known.id);
        let mut evidence = self.evidence(change, None);
        evidence.closed_by_us = evidence.ended_by.is_some();
        let kind = kind_word(change);
        let mut finding = Finding {
            id,
            series: Some(self.tracked.id),
            identity: known.map_or_else(
                || format!("{}/{id}", self.tracked.id),
                |known| known.identity.clone(),
            ),
            kind: kind.to_owned(),
            state: FindingState::Open,
            flow: self.tracked.flow.clone(),
            owner: self.owner(),
            assignee: None,
            onset_us: self.measured[change.index].time_us,
            detected_us: known.map_or(self.now_us, |known| known.detected_us),
            updated_us: self.now_us,
            snoozed_until_us: None,
            closed_us: None,
            told_pct: None,
            evidence: evidence.to_json(),
        };
        let mut note = evidence.sentence.clone();
        if let Some(ended) = &evidence.ended_by {
            finding.state = FindingState::Resolved;
            finding.closed_us = Some(self.now_us);
            note = format!("{note}; ended by {ended}");
        } else if matches!(change.kind, Kind::Epoch | Kind::Improvement) {
            // Good news and new ways of measuring ask nothing of anybody.
            finding.state = FindingState::Resolved;
            finding.closed_us = Some(self.now_us);
        }
        let deliveries = if self.is_news(change) && finding.state.is_open() {
            finding.told_pct = Some(change.effect_pct.value);
            self.deliveries(&finding, &evidence, "opened")
        } else {
            Vec::new()
        };
        self.change(finding, "opened", note, deliveries)
    }

    /// Says of a new finding what it is with the same visitors; what only they did is closed and alerts nobody.
    pub(super) fn tell_of_visitors(&self, new: &mut FindingChange, same: SameVisitors) {
        let Some(mut evidence) = Evidence::read(&new.finding.evidence) else {
            return;
        };
        let finding = &mut new.finding;
        let is_told = !new.deliveries.is_empty() && !same.is_mix;
        if same.is_mix {
            finding.kind = "mix".to_owned();
            finding.state = FindingState::Resolved;
            finding.closed_us = Some(self.now_us);
            finding.told_pct = None;
            evidence.forecast = None;
        }
        evidence.same_visitors = Some(same);
        let onset_us = finding.onset_us;
        evidence.say(&finding.kind, &finding.flow, onset_us, self.now_us);
        finding.evidence = evidence.to_json();
        new.event.note = evidence.sentence.clone();
        new.deliveries = if is_told {
            self.deliveries(finding, &evidence, "opened")
        } else {
            Vec::new()
        };
    }

    fn refined(&self, known: &(Finding, Evidence), change: &Change) -> Option<FindingChange> {
        let (finding, before) = known;
        if self.is_out_of_reach(finding, before) {
            return None;
        }
        let mut evidence = self.evidence(change, before.same_visitors.clone());
        let mut finding = finding.clone();
        finding.kind = kind_word(change).to_owned();
        finding.onset_us = self.measured[change.index].time_us;
        finding.owner = self.owner();
        finding.updated_us = self.now_us;
        let (mut action, mut note) = (String::new(), String::new());
        let mut deliveries = Vec::new();
        if before.onset_release != evidence.onset_release {
            action = "dated".to_owned();
            note = format!(
                "began with {}, not {}",
                evidence.onset_release.as_deref().unwrap_or("?"),
                before.onset_release.as_deref().unwrap_or("?")
            );
        }
        if finding.state.is_open() && evidence.ended_by.is_some() {
            finding.state = FindingState::Resolved;
            finding.closed_us = Some(self.now_us);
            evidence.closed_by_us = true;
            action = "ended".to_owned();
            note = format!(
                "{} gave it back",
                evidence.ended_by.as_deref().unwrap_or_default()
            );
            if finding.told_pct.is_some() {
                deliveries = self.deliveries(&finding, &evidence, "ended");
            }
        } else if finding.state.is_open()
            && let Some(told) = finding.told_pct
            && change.effect_pct.value.abs() >= WORSE * told.abs()
        {
            finding.told_pct = Some(change.effect_pct.value);
            action = "worse".to_owned();
            note = evidence.sentence.clone();
            deliveries = self.deliveries(&finding, &evidence, "worse");
        } else if finding.state == FindingState::Resolved && before.closed_by_us {
            let is_back = change.is_firm()
                && evidence.ended_by.is_none()
                && matches!(change.kind, Kind::Step | Kind::Bleed);
            evidence.closed_by_us = !is_back;
            if is_back {
                finding.state = FindingState::Open;
                finding.closed_us = None;
                action = "reopened".to_owned();
                note = evidence.sentence.clone();
                if self.is_news(change) {
                    finding.told_pct = Some(change.effect_pct.value);
                    deliveries = self.deliveries(&finding, &evidence, "reopened");
                }
            }
        }
        finding.evidence = evidence.to_json();
        let same = Evidence {
            judged_us: before.judged_us,
            ..evidence
        } == *before;
        (!same || !action.is_empty()).then(|| self.change(finding, &action, note, deliveries))
    }

    fn missed(&self, finding: &Finding, evidence: &Evidence) -> Option<FindingChange> {
        if !finding.state.is_open() || self.is_out_of_reach(finding, evidence) {
            return None;
        }
        // What was forgotten since lies before its onset, and is not missed.
        let (now, before) = if self.has_forgotten(finding, evidence) {
            (self.since(finding.onset_us), evidence.since_onset)
        } else {
            (self.measured.len(), evidence.measured)
        };
        // A run or release was excluded or deleted: what is left does not show it, and no more data are to be waited for.
        let taken_out = now < before;
        if now == before {
            return None;
        }
        let mut finding = finding.clone();
        let mut evidence = evidence.clone();
        let new = u32::try_from(now.abs_diff(before)).unwrap_or(u32::MAX);
        evidence.missed = evidence.missed.saturating_add(new);
        evidence.measured = self.measured.len();
        evidence.since_us = self.oldest_us();
        evidence.since_onset = self.since(finding.onset_us);
        evidence.judged_us = self.now_us;
        finding.updated_us = self.now_us;
        let (mut action, mut note) = ("", String::new());
        let mut deliveries = Vec::new();
        if evidence.missed >= PATIENCE || taken_out {
            finding.state = FindingState::Resolved;
            finding.closed_us = Some(self.now_us);
            evidence.closed_by_us = true;
            action = "withdrawn";
            note = if taken_out {
                "what showed it was taken out".to_owned()
            } else {
                "newer data no longer show it".to_owned()
            };
            if finding.told_pct.is_some() {
                deliveries = self.deliveries(&finding, &evidence, "withdrawn");
            }
        }
        finding.evidence = evidence.to_json();
        Some(self.change(finding, action, note, deliveries))
    }

    /// Whether some of what a finding was last judged by is forgotten by now.
    fn has_forgotten(&self, finding: &Finding, evidence: &Evidence) -> bool {
        let since_us = evidence.since_us.unwrap_or(finding.onset_us);
        self.kept_from_us.is_some_and(|from_us| since_us < from_us)
    }

    /// Whether too little is left from before a finding's onset to judge it: it stays as it is.
    fn is_out_of_reach(&self, finding: &Finding, evidence: &Evidence) -> bool {
        let before = self.measured.len() - self.since(finding.onset_us);
        self.has_forgotten(finding, evidence) && before < BASELINE
    }

    /// How many measurements there are from a time on.
    fn since(&self, from_us: i64) -> usize {
        let measured = self.measured.iter();
        measured.filter(|m| m.time_us >= from_us).count()
    }

    fn oldest_us(&self) -> Option<i64> {
        self.measured.iter().map(|m| m.time_us).min()
    }

    fn change(
        &self,
        finding: Finding,
        action: &str,
        note: String,
        deliveries: Vec<NewDelivery>,
    ) -> FindingChange {
        FindingChange {
            event: FindingEvent {
                finding: finding.id,
                at_us: self.now_us,
                actor: "longwatch".to_owned(),
                action: action.to_owned(),
                note,
            },
            finding,
            deliveries,
        }
    }

    /// A known finding as a change among the present measurements.
    fn as_change(&self, finding: &Finding, evidence: &Evidence) -> Change {
        let place = |release: Option<&String>| {
            let rank = release.and_then(|release| self.record.rank(release));
            self.measured
                .iter()
                .position(|m| match rank {
                    Some(rank) => m.release >= rank,
                    None => m.time_us >= finding.onset_us,
                })
                .unwrap_or(self.measured.len().saturating_sub(1))
        };
        let index = self
            .measured
            .iter()
            .position(|m| m.time_us >= finding.onset_us)
            .unwrap_or_else(|| place(evidence.onset_release.as_ref()));
        let range = evidence.onset_range.as_ref();
        Change {
            kind: match finding.kind.as_str() {
                "bleed" => Kind::Bleed,
                "improvement" => Kind::Improvement,
                "epoch" => Kind::Epoch,
                _ => Kind::Step,
            },
            index,
            onset_lo: range.map_or(index, |(first, _)| place(Some(first))),
            onset_hi: range.map_or(index, |(_, last)| place(Some(last))),
            end: place(evidence.end_release.as_ref()).max(index),
            effect_pct: evidence.effect_pct.unwrap_or(Interval::exact(0.0)),
            confidence: evidence.confidence.unwrap_or(0.0),
            slope_pct_per_release: evidence.slope_pct_per_release,
            mean_error_pct: 0.0,
            releases: evidence.releases,
            reason: evidence.reason.clone(),
            surplus: 0.0,
        }
    }

    fn evidence(&self, change: &Change, same_visitors: Option<SameVisitors>) -> Evidence {
        let release = |index: usize| {
            let rank = self.measured[index.min(self.measured.len() - 1)].release;
            self.record
                .releases
                .get(rank)
                .map(|release| release.name.clone())
                .unwrap_or_default()
        };
        let mut evidence = Evidence::about(self.tracked, self.q, self.now_us);
        evidence.same_visitors = same_visitors;
        let from = self.level_before(change.index);
        evidence.reason = change.reason.clone();
        evidence.onset_release = Some(release(change.index));
        evidence.onset_range = Some((release(change.onset_lo), release(change.onset_hi)));
        evidence.end_release = Some(release(change.end));
        evidence.releases = change.releases;
        evidence.slope_pct_per_release = change.slope_pct_per_release;
        evidence.effect_pct = Some(change.effect_pct);
        evidence.from = from;
        evidence.to = from.map(|from| {
            let at = |pct: f64| from * (1.0 + pct / 100.0);
            let (a, b) = (at(change.effect_pct.lower), at(change.effect_pct.upper));
            Interval {
                value: at(change.effect_pct.value),
                lower: a.min(b),
                upper: a.max(b),
            }
        });
        evidence.confidence = Some(change.confidence);
        evidence.measured = self.measured.len();
        evidence.since_us = self.oldest_us();
        evidence.since_onset = self.since(self.measured[change.index].time_us);
        evidence.samples = self.measured.iter().map(|m| m.count).sum();
        evidence.ended_by = match change.kind {
            Kind::Step | Kind::Bleed => self.given_back(change).map(release),
            Kind::Improvement => self.ended(change).map(release),
            Kind::Epoch => None,
        };
        let budgets = self.record.budgets(self.tracked);
        if let Some(budget) = budgets.first() {
            evidence.budget = Some(budget.id.clone());
            evidence.limit = budget.limit.to_base(self.tracked.dimension).ok();
        }
        if change.kind == Kind::Bleed && evidence.ended_by.is_none() {
            evidence.forecast = self.forecast(change, &evidence);
        }
        let onset_us = self.measured[change.index].time_us;
        evidence.say(kind_word(change), &self.tracked.flow, onset_us, self.now_us);
        evidence
    }

    /// The median of what was measured before, in the same epoch.
    fn level_before(&self, index: usize) -> Option<f64> {
        let epoch = self.measured[index].epoch;
        let mut before: Vec<f64> = self.measured[..index]
            .iter()
            .rev()
            .take_while(|m| m.epoch == epoch)
            .take(30)
            .map(|m| m.value)
            .collect();
        if before.is_empty() {
            // What was there from the epoch's first run began with it.
            before.push(self.measured[index].value);
        }
        before.sort_by(f64::total_cmp);
        before.get(before.len() / 2).copied()
    }

    /// Where a later improvement gave back most of a step or bleed.
    fn given_back(&self, change: &Change) -> Option<usize> {
        let worth = |later: &&Change| {
            later.kind == Kind::Improvement
                && later.index > change.end
                && later.effect_pct.value.abs() >= GIVEN_BACK * change.effect_pct.value.abs()
        };
        self.changes.iter().find(worth).map(|later| later.index)
    }

    /// Where the bleed began that this improvement ended.
    fn ended(&self, change: &Change) -> Option<usize> {
        self.changes
            .iter()
            .filter(|earlier| earlier.kind == Kind::Bleed && earlier.end < change.index)
            .filter(|earlier| self.given_back(earlier) == Some(change.index))
            .map(|earlier| earlier.index)
            .next_back()
    }

    fn forecast(&self, change: &Change, evidence: &Evidence) -> Option<Forecast> {
        let limit = evidence.limit?;
        if self.measured.len() - change.end > ENDED {
            return Some(Forecast::NotAtThisRate);
        }
        // It climbs from the last measurement of the level before.
        let from = &self.measured[change.index.saturating_sub(1)];
        let climbed = Climbed {
            before: evidence.from?,
            reached: evidence.to?.value,
            days: (self.measured[change.end].time_us - from.time_us) as f64 / DAY_US as f64,
            mean_error_pct: change.mean_error_pct,
        };
        headroom::forecast_of_bleed(&climbed, limit, self.tracked.direction)
    }

    fn owner(&self) -> Option<String> {
        self.record
            .budgets(self.tracked)
            .iter()
            .find_map(|budget| self.record.config.budget_owner(budget))
            .or_else(|| self.record.config.owner_of(&self.tracked.flow))
            .map(str::to_owned)
    }

    fn is_news(&self, change: &Change) -> bool {
        let newest = self.measured[change.end.min(self.measured.len() - 1)].time_us;
        newest > self.now_us - NEWS_US && matches!(change.kind, Kind::Step | Kind::Bleed)
    }

    fn deliveries(&self, finding: &Finding, evidence: &Evidence, event: &str) -> Vec<NewDelivery> {
        deliveries(
            self.record,
            self.tracked,
            finding,
            evidence,
            event,
            self.url,
            self.now_us,
        )
    }
}

/// The alerts that an event causes: to the owner's routes, where a budget of the series is tracked or stricter.
pub(super) fn deliveries(
    record: &Record,
    tracked: &Tracked,
    finding: &Finding,
    evidence: &Evidence,
    event: &str,
    url: &str,
    now_us: i64,
) -> Vec<NewDelivery> {
    let day = crate::config::utc_date(now_us);
    let tracked_budget = record
        .budgets(tracked)
        .iter()
        .any(|budget| budget.enforcement_on(day) >= Enforcement::Track);
    let Some(owner) = finding.owner.as_deref().filter(|_| tracked_budget) else {
        return Vec::new();
    };
    record
        .config
        .routes_of(owner)
        .into_iter()
        .map(|route| NewDelivery {
            id: Id::new(),
            finding: finding.id,
            route: route.name.clone(),
            event: event.to_owned(),
            message: message::of(finding, evidence, event, url).to_string(),
        })
        .collect()
}

fn kind_word(change: &Change) -> &'static str {
    match change.kind {
        Kind::Step => "step",
        Kind::Improvement => "improvement",
        Kind::Bleed => "bleed",
        Kind::Epoch => "epoch",
    }
}
