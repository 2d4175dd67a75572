//! What every page of a project begins with: who reads, the project's record, its findings, and now.

use std::collections::BTreeMap;

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::clock::now_us;
use crate::detector::evidence::Evidence;
use crate::http::error::{Error, Result};
use crate::http::{App, api, auth};
use crate::record::{Record, Tracked};
use crate::store::{Caller, Finding, Scope, SeriesId, Span, Store, Window};
use crate::wording::moment::Moment;

use super::layout::{Account, Section, Shell};

/// Field series that are asked for the age of the project's data; they share one beacon, so few of them tell.
const ASKED_FOR_AGE: usize = 4;

/// A reader in front of a project. Taking it as an argument is what lets a handler read.
#[derive(Debug, Clone)]
pub struct Visit {
    /// Who reads.
    pub caller: Caller,
    /// The project as it stands.
    pub record: Arc<Record>,
    /// Its findings, newest first.
    pub findings: Vec<Finding>,
    /// Now.
    pub now_us: i64,
    /// Where to read more.
    pub store: Store,
    address: String,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let auth::Reader(caller) = auth::Reader::from_request_parts(parts, app).await?;
        Ok(Visit {
            record: api::record(app, &caller.project).await?,
            findings: app.store.findings(&caller.project).await?,
            now_us: now_us(),
            store: app.store.for_one_request(),
            address: format!("{}{}", app.settings.public_url, parts.uri.path()),
            caller,
        })
    }
}

impl Visit {
    /// What surrounds a page of this project.
    pub async fn shell(&self, section: Section) -> Result<Shell> {
        Ok(Shell {
            project: Some(self.caller.slug.clone()),
            section,
            data_to: self.newest_us().await?.map(|at_us| self.moment(at_us)),
            account: if self.caller.person {
                Account::SignedIn(self.caller.actor.clone())
            } else {
                Account::Guest
            },
            now_us: self.now_us,
            address: self.address.clone(),
        })
    }

    /// The project's name, for paths.
    pub fn slug(&self) -> &str {
        &self.caller.slug
    }

    /// Whether the reader may act on findings.
    pub fn may_act(&self) -> bool {
        self.caller.person && self.caller.scope == Scope::Admin
    }

    /// An instant as seen now.
    pub fn moment(&self, at_us: i64) -> Moment {
        Moment::new(at_us, self.now_us)
    }

    /// Findings of a series with what they rest on, newest first.
    pub fn findings_of(&self, series: SeriesId) -> impl Iterator<Item = (&Finding, Evidence)> {
        let own = self
            .findings
            .iter()
            .filter(move |finding| finding.series == Some(series));
        own.filter_map(|finding| Some((finding, Evidence::read(&finding.evidence)?)))
    }

    /// The series by which a flow is known: one with an open finding, else with a budget, else of the field.
    pub fn main_series(&self, flow: &str) -> Option<&Tracked> {
        let open = |tracked: &Tracked| {
            self.findings.iter().any(|finding| {
                finding.series == Some(tracked.id)
                    && finding.state.is_open()
                    && matches!(
                        finding.kind.as_str(),
                        "breach" | "bleed" | "step" | "missing"
                    )
            })
        };
        let rank = |tracked: &Tracked| {
            let budgets = !self.record.budgets(tracked).is_empty();
            (
                open(tracked) && budgets,
                budgets,
                open(tracked),
                tracked.series.is_field(),
            )
        };
        // The last of equals would win; the first in the order of ids is as good and stays the same.
        self.record
            .series
            .values()
            .filter(|tracked| tracked.flow == flow)
            .fold(None, |best: Option<&Tracked>, next| match best {
                Some(best) if rank(best) >= rank(next) => Some(best),
                _ => Some(next),
            })
    }

    /// A series' windows by release without their contents, oldest release first; under its former names too.
    pub async fn release_windows(&self, tracked: &Tracked) -> Result<Vec<Arc<Window>>> {
        let mut windows = BTreeMap::new();
        for id in names_of(tracked) {
            let project = &self.caller.project;
            let own = self.store.heads(project, id, Span::Release, 0, 1);
            for window in own.await?.iter() {
                if let Some(rank) = self.record.rank(&window.key.release) {
                    windows.insert(rank, window.clone());
                }
            }
        }
        Ok(windows.into_values().collect())
    }

    /// A series' window of one release with its contents; of several names that it had the newest.
    pub async fn release_window(&self, tracked: &Tracked, release: &str) -> Result<Option<Window>> {
        let window = self.record.release_window(&self.store, tracked, release);
        Ok(window.await?)
    }

    /// The newest data of the project: its runs, and some of its field series.
    async fn newest_us(&self) -> Result<Option<i64>> {
        let mut newest = self.record.runs.values().map(|run| run.started_us).max();
        let mut fields: Vec<&Tracked> = self
            .record
            .series
            .values()
            .filter(|tracked| tracked.series.is_field())
            .collect();
        fields.sort_by_cached_key(|tracked| self.record.budgets(tracked).is_empty());
        for tracked in fields.into_iter().take(ASKED_FOR_AGE) {
            let project = &self.caller.project;
            let folded = match tracked.predecessors.is_empty() {
                true => self.store.newest_folded_us(project, tracked.id).await?,
                false => None,
            };
            let seen = match folded {
                Some(at_us) => Some(at_us),
                None => {
                    let seen = self.record.last_seen(&self.store, tracked).await?;
                    seen.map(|(_, at_us)| at_us)
                }
            };
            newest = newest.max(seen);
        }
        // Clocks of clients may run ahead a little; data from the future would look absurd.
        Ok(newest.map(|at_us| at_us.min(self.now_us)))
    }
}

/// A series' ids, the present one last.
fn names_of(tracked: &Tracked) -> impl Iterator<Item = SeriesId> {
    let former = tracked.predecessors.iter();
    former.copied().chain([tracked.id])
}
