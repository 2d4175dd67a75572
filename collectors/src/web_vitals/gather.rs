//! What may be taken of a beacon: plausible values with an id, each with the page around it, the last of each id.

use std::borrow::Cow;
use std::collections::HashMap;

use super::item::{Item, OwnReport, is_vital};
use super::{BeaconBatch, BeaconReport, Rejection};
use crate::limits::{self, cut};
use crate::report::Beacon;
use crate::route::template;

/// A page takes no longer than ten minutes to do anything that is measured here.
const PLAUSIBLE_MS: f64 = 600_000.0;
/// Layout shift beyond this is a broken sender.
const PLAUSIBLE_SHIFT: f64 = 100.0;
/// All page views were kept.
const ALL_PPM: u32 = 1_000_000;

/// What may be taken of a beacon's items; `query` and `referer` name the page where the body does not.
pub(super) fn batch<'a>(
    items: Vec<Item<'a>>,
    query: &'a str,
    referer: Option<&'a str>,
) -> BeaconBatch {
    let mut around = Item::default();
    for (key, value) in super::body::form_fields(query) {
        if matches!(&*key, "flow" | "f" | "release" | "r") {
            around.set(&key, value);
        }
    }
    around.url = referer.map(Cow::Borrowed);
    let mut gathered = Gathered::default();
    items
        .into_iter()
        .for_each(|item| gathered.item(item, &around));
    gathered.batch
}

#[derive(Default)]
struct Gathered {
    batch: BeaconBatch,
    at: HashMap<(String, String), usize>,
}

impl Gathered {
    fn item<'a>(&mut self, mut item: Item<'a>, around: &Item<'a>) {
        fn or<'a>(own: Option<Cow<'a, str>>, outer: &Option<Cow<'a, str>>) -> Option<Cow<'a, str>> {
            own.or_else(|| outer.clone())
        }
        let (name, value, id) = (item.name.take(), item.value, item.id.take());
        let (own, within) = (item.own.take(), std::mem::take(&mut item.within));
        // A metric without a page of its own has the page around it.
        let page: Item = Item {
            flow: or(item.flow, &around.flow),
            navigation_url: or(item.navigation_url, &around.navigation_url),
            url: or(item.url, &around.url),
            release: or(item.release, &around.release),
            device: or(item.device, &around.device),
            navigation: or(item.navigation, &around.navigation),
            page_view: or(item.page_view, &around.page_view),
            sampling: item.sampling.or(around.sampling),
            ..Item::default()
        };
        for report in own.into_iter().flatten() {
            self.report(report, &page, true);
        }
        if let Some(name) = name {
            self.report(
                OwnReport {
                    name: Some(name),
                    value,
                    id,
                    sequence: 0,
                },
                &page,
                false,
            );
        }
        within
            .into_iter()
            .for_each(|metric| self.item(metric, &page));
    }

    fn report(&mut self, report: OwnReport, page: &Item, marks_allowed: bool) {
        match taken(report, page, marks_allowed) {
            Err(reason) => *self.batch.rejected.entry(reason).or_default() += 1,
            Ok(report) => {
                // Most beacons hold one report: only from the second on it matters which were there.
                if self.batch.reports.len() == 1 && self.at.is_empty() {
                    self.at
                        .extend(self.batch.reports.first().map(|r| (key_of(r), 0)));
                }
                let at = match self.batch.reports.len() {
                    0 => 0,
                    next => *self.at.entry(key_of(&report)).or_insert(next),
                };
                match self.batch.reports.get_mut(at) {
                    Some(earlier) => *earlier = report,
                    None => self.batch.reports.push(report),
                }
            }
        }
    }
}

fn key_of(report: &BeaconReport) -> (String, String) {
    (report.beacon.id.clone(), report.name.clone())
}

fn taken(report: OwnReport, page: &Item, marks_allowed: bool) -> Result<BeaconReport, Rejection> {
    let name = report
        .name
        .filter(|name| is_vital(name) || (marks_allowed && is_mark(name)))
        .ok_or(Rejection::UnknownMetric)?;
    let value = report
        .value
        .filter(|v| v.is_finite())
        .ok_or(Rejection::NoValue)?;
    let unit = if name == "CLS" { "1" } else { "ms" };
    if !is_plausible(unit, value) {
        return Err(Rejection::Implausible);
    }
    let id = report
        .id
        .filter(|id| !id.is_empty())
        .or_else(|| page.page_view.clone())
        .ok_or(Rejection::NoId)?;
    let sampling_ppm = match page.sampling {
        None => ALL_PPM,
        Some(rate) if rate > 0.0 && rate <= 1.0 => ((rate * 1e6).round_ties_even() as u32).max(1),
        Some(_) => return Err(Rejection::BadSampling),
    };
    let beacon = Beacon {
        id: cut(&id, 128),
        sequence: report.sequence,
        device: page.device.as_deref().and_then(device),
        navigation: page.navigation.as_deref().map(navigation),
        sampling_ppm,
    };
    let release = page
        .release
        .as_deref()
        .map(|r| cut(r.trim(), limits::LABEL_VALUE_BYTES));
    Ok(BeaconReport {
        name: name.into_owned(),
        value,
        unit,
        flow: flow(page),
        release,
        beacon,
    })
}

/// Whether a page can have taken so long (`ms`), or have shifted so much.
pub(crate) fn is_plausible(unit: &str, value: f64) -> bool {
    let most = if unit == "ms" {
        PLAUSIBLE_MS
    } else {
        PLAUSIBLE_SHIFT
    };
    (0.0..=most).contains(&value)
}

/// A name of one's own: short and plain, so that it cannot smuggle an address or a person.
fn is_mark(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b))
}

fn flow(page: &Item) -> Option<String> {
    if let Some(flow) = page.flow.as_deref().map(str::trim) {
        let address = flow.starts_with('/') || flow.contains("://");
        return Some(if address {
            template(flow)
        } else {
            cut(flow, limits::NAME_BYTES)
        });
    }
    page.navigation_url
        .as_deref()
        .or(page.url.as_deref())
        .map(template)
}

fn device(text: &str) -> Option<String> {
    let class = text.trim().to_ascii_lowercase();
    matches!(class.as_str(), "mobile" | "desktop" | "tablet").then_some(class)
}

/// The navigation types that web-vitals names; anything else is `other`, since it becomes a stratum.
pub(crate) fn navigation(text: &str) -> String {
    let kind = text.trim().replace('_', "-");
    let known = [
        "navigate",
        "reload",
        "back-forward",
        "back-forward-cache",
        "prerender",
        "restore",
        "soft-navigation",
    ];
    if known.contains(&kind.as_str()) {
        kind
    } else {
        "other".into()
    }
}
