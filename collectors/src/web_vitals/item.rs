//! The fields of a beacon that we read, whoever wrote it.

use std::borrow::Cow;

/// An object of a beacon: a metric, the page around metrics, or both.
#[derive(Debug, Default)]
pub(crate) struct Item<'a> {
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) value: Option<f64>,
    pub(super) id: Option<Cow<'a, str>>,
    pub(super) navigation: Option<Cow<'a, str>>,
    pub(super) navigation_url: Option<Cow<'a, str>>,
    pub(super) url: Option<Cow<'a, str>>,
    pub(super) flow: Option<Cow<'a, str>>,
    pub(super) release: Option<Cow<'a, str>>,
    pub(super) device: Option<Cow<'a, str>>,
    pub(super) page_view: Option<Cow<'a, str>>,
    pub(super) sampling: Option<f64>,
    /// Our own form: name, value, id, sequence.
    pub(super) own: Option<Vec<OwnReport<'a>>>,
    /// Metrics inside of this page.
    pub(super) within: Vec<Item<'a>>,
}

#[derive(Debug, Default)]
/// One report of our own form.
pub(super) struct OwnReport<'a> {
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) value: Option<f64>,
    pub(super) id: Option<Cow<'a, str>>,
    pub(super) sequence: u64,
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
    pub(super) fn field(&mut self, key: &str) -> Option<&mut Option<Cow<'a, str>>> {
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
