//! Fills a release's page.

use std::collections::BTreeMap;

use axum::extract::{Path, State};

use crate::http::error::{Error, Result};
use crate::http::pages::evidence::{change, kind};
use crate::http::pages::facts::{Change, Fact};
use crate::http::pages::layout::Section;
use crate::http::pages::visit::Visit;
use crate::http::{App, paths};
use crate::record::{By, Point, Tracked};
use crate::standing::account_of;
use crate::stats::difference::change_pct;
use crate::store::Release;
use crate::verdict::decode;
use crate::wording::names::flow_title;
use crate::wording::quantity::Quantity;
use crate::wording::state::{Answer, Kind};

use super::{ChangeRow, GateAnswer, ReleasePage, RunRow};

/// Verdicts searched for those about the release.
const SEARCHED: i64 = 1_000;
/// Changes listed.
const CHANGES: usize = 40;
/// Runs listed.
const RUNS: usize = 100;

/// A release's page.
pub async fn show(
    State(_app): State<App>,
    visit: Visit,
    Path((_project, name)): Path<(String, String)>,
) -> Result<ReleasePage> {
    let all = visit.store.releases(&visit.caller.project).await?;
    let release = all
        .iter()
        .find(|release| release.name == name)
        .ok_or_else(Error::not_found)?;
    let before = before(&visit, &name);
    let mut changes = changes(&visit, &name, before.as_deref()).await?;
    ReleasePage::sort_changes(&mut changes);
    changes.truncate(CHANGES);
    let compare = before
        .as_ref()
        .zip(changes.first())
        .and_then(|(before, first)| {
            let series = first.path.split("series=").nth(1)?;
            Some(paths::compare(visit.slug(), series, before, &name))
        });
    Ok(ReleasePage {
        facts: facts(&visit, release, before.as_deref()),
        verdicts: verdicts(&visit, &name).await?,
        runs: runs(&visit, &name).await?,
        epochs: epochs(&visit, &name).await?,
        compare: compare.unwrap_or_default(),
        changes,
        release: name,
        shell: visit.shell(Section::Overview).await?,
    })
}

/// The release before on the main branch.
fn before(visit: &Visit, name: &str) -> Option<String> {
    let rank = visit.record.rank(name)?.checked_sub(1)?;
    Some(visit.record.releases[rank].name.clone())
}

fn facts(visit: &Visit, release: &Release, before: Option<&str>) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(commit) = &release.commit {
        let short: String = commit.chars().take(12).collect();
        facts.push(Fact::new(
            "Commit",
            short,
            release.branch.clone().unwrap_or_default(),
        ));
    }
    if let Some(parent) = before.map(str::to_owned).or_else(|| release.parent.clone()) {
        facts.push(Fact::new("After", parent, ""));
    }
    let label = if release.declared {
        "Deployed"
    } else {
        "First seen"
    };
    facts.push(Fact::new(label, visit.moment(release.time_us).full(), ""));
    if let Some(note) = &release.note {
        facts.push(Fact::new("About", note.clone(), ""));
    }
    if !release.on_main {
        facts.push(Fact::new(
            "Branch",
            release.branch.clone().unwrap_or_default(),
            "not the main branch: it moves no baseline",
        ));
    }
    facts
}

async fn verdicts(visit: &Visit, name: &str) -> Result<Vec<GateAnswer>> {
    let stored = visit
        .store
        .verdicts(&visit.caller.project, SEARCHED)
        .await?;
    let mut newest = BTreeMap::new();
    for verdict in stored.iter().filter(|verdict| verdict.release == name) {
        newest.entry(verdict.gate.clone()).or_insert(verdict);
    }
    let row = |(gate, verdict): (String, &crate::store::StoredVerdict)| {
        let answer = decode(verdict).ok()?;
        let said = Answer::from(answer.verdict);
        let decisive = answer
            .checks
            .iter()
            .find(|check| check.counts && Answer::from(check.verdict) == said);
        Some(GateAnswer {
            path: paths::verdict(visit.slug(), &gate, &verdict.id.to_string()),
            gate,
            answer: said,
            reason: decisive
                .map(|check| format!("{}: {}", flow_title(&check.flow), check.reason))
                .unwrap_or_default(),
        })
    };
    Ok(newest.into_iter().filter_map(row).collect())
}

/// The changes of budgeted series of key flows against the release before; what a finding proved is proven.
async fn changes(visit: &Visit, name: &str, before: Option<&str>) -> Result<Vec<ChangeRow>> {
    let mut rows = Vec::new();
    for tracked in visit.record.series.values() {
        let is_watched =
            !visit.record.budgets(tracked).is_empty() || visit.record.config.is_key(&tracked.flow);
        let proven = proven(visit, tracked, name);
        if is_watched || proven.is_some() {
            rows.extend(row(visit, tracked, name, before, proven).await?);
        }
    }
    Ok(rows)
}

fn proven(visit: &Visit, tracked: &Tracked, name: &str) -> Option<Change> {
    visit
        .findings_of(tracked.id)
        .filter(|(finding, _)| matches!(kind(finding), Kind::Step | Kind::Improvement))
        .find(|(_, evidence)| evidence.onset_release.as_deref() == Some(name))
        .and_then(|(_, evidence)| change(&evidence))
}

async fn row(
    visit: &Visit,
    tracked: &Tracked,
    name: &str,
    before: Option<&str>,
    proven: Option<Change>,
) -> Result<Option<ChangeRow>> {
    let q = visit.record.watched(tracked);
    let qs: Vec<f64> = q.into_iter().collect();
    let points = visit
        .record
        .points(&visit.store, tracked, By::Release, i64::MIN, i64::MAX, &qs)
        .await?;
    let at = |release: &str| points.iter().find(|point| point.release == release);
    let (Some(from), Some(to)) = (before.and_then(at), at(name)) else {
        return Ok(None);
    };
    // Nothing is compared across an epoch.
    let both = from
        .interval
        .zip(to.interval)
        .filter(|_| from.epoch == to.epoch);
    let Some((from, to)) = both else {
        return Ok(None);
    };
    let Some(percent) = change_pct(&from, &to) else {
        return Ok(None);
    };
    let seen = Change {
        percent: Quantity::percent(percent.value, percent.lower, percent.upper),
        manner: tracked.manner(),
    };
    Ok(Some(ChangeRow {
        path: paths::series(visit.slug(), &tracked.flow, &tracked.id.to_string()),
        title: flow_title(&tracked.flow),
        series: tracked.line_with(q),
        walk: Quantity::from_to(&tracked.quantity(&from), &tracked.quantity(&to)),
        is_proven: proven.is_some(),
        change: proven.unwrap_or(seen),
        share: share(visit, tracked, &points, name),
    }))
}

/// What the release added since the pinned reference, where the ledger names it.
fn share(visit: &Visit, tracked: &Tracked, points: &[Point], name: &str) -> Option<Quantity> {
    let account = account_of(&visit.record, tracked, points, None, &visit.findings)?;
    let mut shares = account.shares.into_iter();
    let own = shares.find(|share| share.first == name && share.last == name)?;
    Some(tracked.quantity(&own.change))
}

async fn runs(visit: &Visit, name: &str) -> Result<Vec<RunRow>> {
    let mut runs = visit
        .store
        .runs_of_release(&visit.caller.project, name)
        .await?;
    runs.sort_by_key(|(_, run)| std::cmp::Reverse(run.received_us));
    let row = |(_, run): (crate::store::Id, crate::store::Run)| RunRow {
        run: run.name,
        testbed: run.testbed,
        source: crate::wording::names::source_word(run.source).to_owned(),
        at: visit.moment(run.received_us),
        excluded: run.excluded.unwrap_or_default(),
    };
    Ok(runs.into_iter().take(RUNS).map(row).collect())
}

/// Epochs that begin with the release, one line a flow and reason.
async fn epochs(visit: &Visit, name: &str) -> Result<Vec<(String, String)>> {
    let mut found: Vec<(String, String)> = Vec::new();
    for tracked in visit.record.series.values() {
        for start in visit.record.epoch_starts(&visit.store, tracked).await? {
            let line = (flow_title(&tracked.flow), start.reason);
            if start.release == name && !found.contains(&line) {
                found.push(line);
            }
        }
    }
    Ok(found)
}
