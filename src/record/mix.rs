//! Who came: the classes of visitors in field data, and percentiles as if others had come.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{CONFIDENCE, Record, Tracked};
use crate::stats::mix::{Stratum as Weighted, reweighted};
use crate::stats::{Interval, Needs};
use crate::store::{Store, StoreError, Stratum, Window, WindowBody};

/// Each class's share of the visitors.
pub type Mix = BTreeMap<String, f64>;

/// A class of visitors in words: "mobile, DE, navigate".
pub fn class(stratum: &Stratum) -> String {
    let parts = [&stratum.device, &stratum.country, &stratum.navigation];
    let known: Vec<&str> = parts
        .into_iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty() && *part != "unknown")
        .collect();
    if known.is_empty() {
        "unknown".to_owned()
    } else {
        known.join(", ")
    }
}

/// How many visitors a stratum's sample stands for.
fn visitors(stratum: &Stratum, count: u64) -> f64 {
    count as f64 * 1e6 / f64::from(stratum.rate_ppm.max(1))
}

/// Who came.
pub fn mix(body: &WindowBody) -> Mix {
    let mut shares = Mix::new();
    for (stratum, packed) in &body.strata {
        *shares.entry(class(stratum)).or_default() += visitors(stratum, packed.0.count());
    }
    let total: f64 = shares.values().sum();
    if total > 0.0 {
        shares.values_mut().for_each(|share| *share /= total);
    }
    shares
}

/// Percentile `q` as if those of `mix` had come; strata of one class share its weight by the visitors they stand for.
///
/// # Errors
/// What it would need, where too few of them came.
pub fn as_if(mix: &Mix, body: &WindowBody, q: f64) -> Result<Interval, Needs> {
    let mut of_class = Mix::new();
    for (stratum, packed) in &body.strata {
        *of_class.entry(class(stratum)).or_default() += visitors(stratum, packed.0.count());
    }
    let weighted: Vec<Weighted> = body
        .strata
        .iter()
        .filter_map(|(stratum, packed)| {
            let class = class(stratum);
            let within = visitors(stratum, packed.0.count()) / of_class.get(&class)?;
            Some(Weighted::of(mix.get(&class)? * within, &packed.0))
        })
        .collect();
    reweighted(&weighted, q, CONFIDENCE).map(|found| found.interval)
}

/// What one class of visitors measured.
pub fn only(name: &str, body: &WindowBody) -> WindowBody {
    let strata = body.strata.iter();
    WindowBody {
        strata: strata
            .filter(|(stratum, _)| class(stratum) == name)
            .map(|(stratum, packed)| (stratum.clone(), packed.clone()))
            .collect(),
        ..WindowBody::default()
    }
}

impl Record {
    /// The days of a field series in `from_us..to_us` with their contents, oldest first, each with the release that had
    /// most of it.
    pub async fn whole_days(
        &self,
        store: &Store,
        tracked: &Tracked,
        from_us: i64,
        to_us: i64,
    ) -> Result<Vec<(i64, Arc<Window>, String)>, StoreError> {
        let days = self.days(store, tracked, from_us, to_us, true, true);
        Ok(days
            .await?
            .into_iter()
            .map(|(day_us, (window, release))| (day_us, window, release))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_leaves_out_what_is_not_known() {
        let stratum = |country: &str| Stratum {
            rate_ppm: 1_000_000,
            device: "mobile".into(),
            country: country.into(),
            navigation: String::new(),
        };
        assert_eq!(class(&stratum("unknown")), "mobile");
        assert_eq!(class(&stratum("DE")), "mobile, DE");
    }
}
