//! The fields of a beacon that we read, whoever wrote it, and what may be taken of them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

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

/// An object of a beacon: a metric, the page around metrics, or both.
#[derive(Debug, Default)]
pub(crate) struct Item<'a> {
    name: Option<Cow<'a, str>>,
    value: Option<f64>,
    id: Option<Cow<'a, str>>,
    navigation: Option<Cow<'a, str>>,
    navigation_url: Option<Cow<'a, str>>,
    url: Option<Cow<'a, str>>,
    flow: Option<Cow<'a, str>>,
    release: Option<Cow<'a, str>>,
    device: Option<Cow<'a, str>>,
    page_view: Option<Cow<'a, str>>,
    sampling: Option<f64>,
    /// Our own form: name, value, id, sequence.
    own: Option<Vec<OwnReport<'a>>>,
    /// Metrics inside of this page.
    within: Vec<Item<'a>>,
}

#[derive(Debug, Default)]
struct OwnReport<'a> {
    name: Option<Cow<'a, str>>,
    value: Option<f64>,
    id: Option<Cow<'a, str>>,
    sequence: u64,
}

/// Whether a name is one of web-vitals' metrics.
pub(super) fn is_vital(name: &str) -> bool {
    matches!(name, "LCP" | "INP" | "CLS" | "FCP" | "TTFB" | "FID")
}

impl<'a> Item<'a> {
    /// Whether it, or something in it, is a report that web-vitals makes.
    pub(crate) fn is_vital(&self) -> bool {
        let own = self.name.as_deref().is_some_and(is_vital) && self.id.is_some();
        own || self.within.iter().any(Item::is_vital)
    }

    /// Whether it is a beacon at all.
    pub(super) fn is_beacon(&self) -> bool {
        self.own.is_some() || self.name.is_some() || !self.within.is_empty()
    }

    /// Sets a field of a form; fields that we do not know are none of our business.
    pub(super) fn set(&mut self, key: &str, text: Cow<'a, str>) {
        match key {
            "value" => self.value = text.trim().parse().ok(),
            "s" => self.sampling = Some(text.trim().parse().unwrap_or(f64::NAN)),
            _ => {
                if let Some(field) = self.field(key) {
                    *field = Some(text).filter(|t| !t.trim().is_empty());
                }
            }
        }
    }

    /// The text under a key, whatever its sender calls it.
    fn field(&mut self, key: &str) -> Option<&mut Option<Cow<'a, str>>> {
        Some(match key {
            "name" => &mut self.name,
            "id" => &mut self.id,
            "navigationType" | "navigation_type" | "nav" | "n" => &mut self.navigation,
            "navigationURL" => &mut self.navigation_url,
            "url" | "page" | "pageUrl" | "page_url" | "path" | "href" | "location" => &mut self.url,
            "flow" | "f" => &mut self.flow,
            "release" | "r" => &mut self.release,
            "device" | "deviceType" | "device_type" | "d" => &mut self.device,
            "pv" => &mut self.page_view,
            _ => return None,
        })
    }

    /// The same, borrowed from nothing.
    pub(super) fn into_owned(self) -> Item<'static> {
        fn owned(text: Option<Cow<'_, str>>) -> Option<Cow<'static, str>> {
            text.map(|t| Cow::Owned(t.into_owned()))
        }
        let report = |r: OwnReport| OwnReport {
            name: owned(r.name),
            value: r.value,
            id: owned(r.id),
            sequence: r.sequence,
        };
        let own = self
            .own
            .map(|reports| reports.into_iter().map(report).collect());
        Item {
            name: owned(self.name),
            value: self.value,
            id: owned(self.id),
            navigation: owned(self.navigation),
            navigation_url: owned(self.navigation_url),
            url: owned(self.url),
            flow: owned(self.flow),
            release: owned(self.release),
            device: owned(self.device),
            page_view: owned(self.page_view),
            sampling: self.sampling,
            own,
            within: self.within.into_iter().map(Item::into_owned).collect(),
        }
    }

    /// Puts items into this one, as a page around its metrics.
    pub(super) fn hold(&mut self, items: Vec<Item<'a>>) {
        self.within.extend(items);
    }
}

/// What may be taken of a beacon's items; `query` and `referer` name the page where the body does not.
pub(super) fn batch(items: Vec<Item>, query: &str, referer: Option<&str>) -> BeaconBatch {
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
    fn item(&mut self, mut item: Item, around: &Item) {
        let or = |own: Option<Cow<'_, str>>, outer: &Option<Cow<'_, str>>| {
            own.or_else(|| outer.clone())
                .map(|t| Cow::Owned(t.into_owned()))
        };
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
                let key = (report.beacon.id.clone(), report.name.clone());
                let at = *self.at.entry(key).or_insert(self.batch.reports.len());
                match self.batch.reports.get_mut(at) {
                    Some(earlier) => *earlier = report,
                    None => self.batch.reports.push(report),
                }
            }
        }
    }
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
    let (most, unit) = if name == "CLS" {
        (PLAUSIBLE_SHIFT, "1")
    } else {
        (PLAUSIBLE_MS, "ms")
    };
    if !(0.0..=most).contains(&value) {
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
fn navigation(text: &str) -> String {
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

/// Text where text or a number stands, else nothing.
struct Text<'a>(Option<Cow<'a, str>>);

/// A number where a number stands, as text too, else nothing.
struct Number(Option<f64>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(Scalar)
            .map(|(text, number)| Text(text.or_else(|| number.map(|n| Cow::Owned(n.to_string())))))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(Scalar)
            .map(|(text, number)| Number(number.or_else(|| text?.trim().parse().ok())))
    }
}

/// Reads any value and keeps it where it is text or a number.
struct Scalar;

impl<'de> Visitor<'de> for Scalar {
    type Value = (Option<Cow<'de, str>>, Option<f64>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok((Some(Cow::Borrowed(text)), None))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok((Some(Cow::Owned(text.to_owned())), None))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok((None, Some(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok((None, Some(number as f64)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok((None, Some(number as f64)))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok((None, None))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok((None, None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok((None, None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok((None, None))
    }
}

/// Any JSON as the items in it: an object is one, an array holds several, all else holds none.
pub(super) struct Items<'a>(pub(super) Vec<Item<'a>>);

impl<'de> Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemsVisitor).map(Items)
    }
}

struct ItemsVisitor;

/// Visits that find no item.
macro_rules! holds_none {
    ($($visit:ident: $type:ty),*) => { $(fn $visit<E>(self, _: $type) -> Result<Self::Value, E> { Ok(Self::Value::default()) })* };
}

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = Vec<Item<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    holds_none!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Items(more)) = seq.next_element()? {
            items.extend(more);
        }
        Ok(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut item = Item::default();
        while let Some(Text(key)) = map.next_key()? {
            match key.as_deref().unwrap_or_default() {
                "value" => item.value = map.next_value::<Number>()?.0,
                "s" => item.sampling = map.next_value::<Number>()?.0.or(Some(f64::NAN)),
                "m" => item.own = map.next_value::<OwnReports>()?.0,
                "metrics" | "vitals" | "data" => item.within = map.next_value::<Items>()?.0,
                key => match item.field(key) {
                    Some(field) => {
                        *field = map.next_value::<Text>()?.0.filter(|t| !t.trim().is_empty())
                    }
                    None => {
                        map.next_value::<IgnoredAny>()?;
                    }
                },
            }
        }
        Ok(vec![item])
    }
}

/// Our own form's list, where one stands.
struct OwnReports<'a>(Option<Vec<OwnReport<'a>>>);

impl<'de> Deserialize<'de> for OwnReports<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(OwnReportsVisitor)
            .map(OwnReports)
    }
}

struct OwnReportsVisitor;

impl<'de> Visitor<'de> for OwnReportsVisitor {
    type Value = Option<Vec<OwnReport<'de>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of reports")
    }

    holds_none!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut reports = Vec::new();
        while let Some(report) = seq.next_element::<OwnReport>()? {
            reports.push(report);
        }
        Ok(Some(reports))
    }
}

impl<'de> Deserialize<'de> for OwnReport<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OwnReportVisitor)
    }
}

struct OwnReportVisitor;

impl<'de> Visitor<'de> for OwnReportVisitor {
    type Value = OwnReport<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[name, value, id, sequence]")
    }

    holds_none!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(OwnReport::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(OwnReport::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let name = seq.next_element::<Text>()?.and_then(|t| t.0);
        let value = seq.next_element::<Number>()?.and_then(|n| n.0);
        let id = seq.next_element::<Text>()?.and_then(|t| t.0);
        let sequence = seq
            .next_element::<Number>()?
            .and_then(|n| n.0)
            .unwrap_or(0.0);
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        // A cast from f64 saturates: no sequence makes trouble here.
        Ok(OwnReport {
            name,
            value,
            id,
            sequence: sequence as u64,
        })
    }
}
