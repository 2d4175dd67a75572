//! Each rule held against gathered evidence: freshness, budget, regression, bleed.

use super::gathered::{Gathered, Subject, Unmeasured, samples, values};
use super::{Check, Reference, Side, native_unit, scale_of};
use crate::config::{Budget, Gate};
use crate::record::Measured;
use crate::stats::gate::{self, Decision, Rule, Verdict};
use crate::stats::wording::Scale;
use crate::stats::{Interval, Needs};

impl Unmeasured<'_> {
    /// Nothing says that it may go.
    pub(super) fn check(&self) -> Check {
        let Budget { flow, metric, .. } = self.budget;
        Check {
            flow: flow.clone(),
            series: String::new(),
            metric: metric.clone(),
            labels: self.budget.labels.clone(),
            source: self.budget.source,
            budget: self.budget.id.clone(),
            rule: "freshness".to_owned(),
            percentile: self.budget.percentile,
            verdict: Verdict::Inconclusive,
            counts: self.counts,
            candidate: None,
            reference: None,
            change_pct: None,
            limit: None,
            margin_pct: None,
            unit: String::new(),
            reason: format!("nothing has measured {metric} of {flow} yet"),
            needs: None,
        }
    }
}

impl Gathered<'_> {
    /// How many statistical tests it takes part in.
    pub(super) fn tests(&self) -> usize {
        if self.counts {
            1 + self.references.len()
        } else {
            0
        }
    }

    pub(super) fn checks(&self, gate: &Gate, confidence: f64, subject: &Subject<'_>) -> Vec<Check> {
        let typical = self
            .candidate
            .last()
            .map_or_else(|| self.limit(), |m| Some(m.value))
            .unwrap_or(0.0);
        let scale = scale_of(self.tracked, typical);
        let fresh = gate::freshness(self.age_us, gate.fresh.micros());
        if !self.fresh {
            // Without fresh data nothing else can be said, and silence is never a pass.
            let mut check = self.check("freshness", &fresh);
            if !self.tracked.series.is_field() && self.candidate.is_empty() {
                check.reason = format!(
                    "no run of {} yet; a release is judged by its own runs",
                    subject.name
                );
                check.needs = Some(Needs::runs(1));
            }
            return vec![check];
        }
        let mut checks = vec![self.budget_check(confidence, scale)];
        if self.counts {
            checks.push(self.check("freshness", &fresh));
        }
        if self.references.is_empty() {
            checks.push(self.check("regression", &self.nothing_to_compare_with(subject)));
        }
        for (kind, release, measured, remark) in &self.references {
            checks.push(self.comparison(gate, confidence, scale, kind, release, measured, remark));
        }
        for sentence in &self.bleeds {
            let mut check = self.check(
                "bleed",
                &Decision {
                    verdict: Verdict::Fail,
                    candidate: None,
                    reference: None,
                    change_pct: None,
                    allowed: 0.0,
                    needs: None,
                    reason: format!("{sentence}; the bleed is still open"),
                },
            );
            check.limit = None;
            if self.waiver.is_some() {
                check.verdict = Verdict::Pass;
                check.reason = format!("{sentence}; waived up to its ceiling");
            }
            checks.push(check);
        }
        checks
    }

    /// The first release of a series or of an epoch: silence is no pass here either.
    fn nothing_to_compare_with(&self, subject: &Subject<'_>) -> Decision {
        let reason = match &self.otherwise {
            Some(before) => format!(
                "{before} was measured in another way than {}, and no earlier release as this one: measure {before} once \
                 more in the new way to compare them",
                subject.name
            ),
            None => format!(
                "{} is the first release that was measured; there is nothing to compare it with yet",
                subject.name
            ),
        };
        Decision {
            verdict: Verdict::Inconclusive,
            candidate: None,
            reference: None,
            change_pct: None,
            allowed: 0.0,
            needs: None,
            reason,
        }
    }

    fn limit(&self) -> Option<f64> {
        let limit = self
            .waiver
            .map_or(&self.budget.limit, |waiver| &waiver.ceiling);
        limit.to_base(self.tracked.dimension).ok()
    }

    fn budget_check(&self, confidence: f64, scale: Scale<'_>) -> Check {
        let (value, samples, runs) =
            self.judged_at(confidence)
                .unwrap_or((Err(Needs::default()), 0, 0));
        let decision = match self.limit() {
            Some(limit) => gate::budget(value, limit, self.tracked.direction, scale),
            None => Decision {
                verdict: Verdict::Inconclusive,
                candidate: value.ok(),
                reference: None,
                change_pct: None,
                allowed: 0.0,
                needs: None,
                reason: format!(
                    "the budget's unit does not fit what {} measures",
                    self.tracked.series.metric
                ),
            },
        };
        let mut check = self.check("budget", &decision);
        check.candidate = value
            .ok()
            .map(|interval| self.side(&interval, samples, runs));
        check.limit = self.limit().map(|limit| self.native(limit));
        if let (Verdict::Inconclusive, Ok(interval), Some(limit)) =
            (check.verdict, value, self.limit())
        {
            check.needs = match self.tracked.series.is_field() {
                true => gate::samples_to_settle(&interval, limit, samples).map(Needs::samples),
                false => gate::runs_to_settle(&interval, limit, runs).map(Needs::runs),
            };
        }
        check
    }

    #[expect(clippy::too_many_arguments, reason = "one comparison's whole context")]
    fn comparison(
        &self,
        gate: &Gate,
        confidence: f64,
        scale: Scale<'_>,
        kind: &str,
        release: &str,
        measured: &[Measured],
        remark: &Option<String>,
    ) -> Check {
        let minimum = gate
            .minimum
            .as_ref()
            .and_then(|minimum| minimum.to_base(self.tracked.dimension).ok())
            .unwrap_or(0.0);
        let rule = Rule {
            direction: self.tracked.direction,
            margin_pct: 100.0 * gate.margin.fraction(),
            minimum,
            confidence,
        };
        let (ours, theirs) = (values(&self.candidate), values(measured));
        let decision = gate::regression(&ours, &theirs, self.noise.as_ref(), &rule, scale);
        let mut check = self.check("regression", &decision);
        check.margin_pct = Some(decision.allowed);
        check.candidate = decision
            .candidate
            .map(|i| self.side(&i, samples(&self.candidate), ours.len() as u64));
        check.limit = decision.reference.map(|reference| {
            let sign = if self.tracked.direction == crate::stats::Direction::Higher {
                -1.0
            } else {
                1.0
            };
            self.native(reference.value * (1.0 + sign * decision.allowed / 100.0))
        });
        check.reference = Some(Reference {
            kind: kind.to_owned(),
            release: release.to_owned(),
            side: decision
                .reference
                .map(|i| self.side(&i, samples(measured), theirs.len() as u64)),
        });
        if let Some(remark) = remark {
            check.reason = format!("{} ({remark})", check.reason);
        }
        check
    }

    fn check(&self, rule: &str, decision: &Decision) -> Check {
        let series = &self.tracked.series;
        Check {
            flow: self.tracked.flow.clone(),
            series: self.tracked.id.to_string(),
            metric: series.metric.clone(),
            labels: series.labels.clone(),
            source: series.source,
            budget: self.budget.id.clone(),
            rule: rule.to_owned(),
            percentile: self.q.map(|q| q * 100.0),
            verdict: decision.verdict,
            counts: self.counts,
            candidate: None,
            reference: None,
            change_pct: decision.change_pct,
            limit: None,
            margin_pct: None,
            unit: series.unit.clone(),
            reason: decision.reason.clone(),
            needs: decision.needs,
        }
    }

    fn native(&self, base: f64) -> f64 {
        native_unit(self.tracked).to_native(base)
    }

    fn side(&self, interval: &Interval, samples: u64, runs: u64) -> Side {
        Side {
            value: self.native(interval.value),
            lower: self.native(interval.lower),
            upper: self.native(interval.upper),
            samples,
            runs,
        }
    }
}
