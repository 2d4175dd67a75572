//! Journal rows as the first schema's versions wrote them; a database that was not folded to the end holds some.

use std::sync::Arc;

use serde::Deserialize;

use super::super::{Id, SeriesId};
use super::{Delta, Origin, ReportId, RunRef, Stratum, Summary, Values};

/// First byte of such a row.
pub(super) const ENCODING: u8 = 1;

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct FirstDelta {
    series: SeriesId,
    release: String,
    run: Option<RunRef>,
    time_us: i64,
    stratum: Stratum,
    values: FirstValues,
    failed: u64,
    dropped: u64,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
enum FirstValues {
    Raw(Vec<u64>),
    Pairs(Vec<(u32, u64)>),
    Explicit {
        bounds: Vec<f64>,
        counts: Vec<u64>,
    },
    Summary(Summary),
    Exact(f64),
    Report {
        id: String,
        sequence: u64,
        value: u64,
    },
}

/// The deltas of a row, without its first byte.
pub(super) fn decode(row: &[u8]) -> Result<Vec<Delta>, postcard::Error> {
    let deltas: Vec<FirstDelta> = postcard::from_bytes(row)?;
    Ok(deltas.into_iter().map(Delta::from).collect())
}

impl From<FirstDelta> for Delta {
    fn from(first: FirstDelta) -> Delta {
        let values = match first.values {
            FirstValues::Raw(values) => Values::Raw(values),
            FirstValues::Pairs(pairs) => Values::Pairs(pairs),
            FirstValues::Explicit { bounds, counts } => Values::Explicit { bounds, counts },
            FirstValues::Summary(summary) => Values::Summary(summary),
            FirstValues::Exact(value) => Values::Exact(value),
            FirstValues::Report {
                id,
                sequence,
                value,
            } => Values::Report {
                id: ReportId::first_half(&Id::of(&[&first.series.to_string(), &id])),
                sequence,
                value,
            },
        };
        Delta {
            origin: Arc::new(Origin {
                series: first.series,
                release: first.release,
                run: first.run,
                stratum: first.stratum,
            }),
            time_us: first.time_us,
            values,
            failed: first.failed,
            dropped: first.dropped,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_page_views_report_becomes_one_of_today() {
        let series = SeriesId(Id::new());
        let first = FirstDelta {
            series,
            release: "v1".into(),
            run: None,
            time_us: 5,
            stratum: Stratum::whole(),
            values: FirstValues::Report {
                id: "v5-1 LCP".into(),
                sequence: 2,
                value: 1_180,
            },
            failed: 0,
            dropped: 0,
        };
        let mut row = vec![ENCODING];
        row.extend(postcard::to_allocvec(&vec![first]).unwrap());
        let row = super::super::decode(&row).unwrap();
        assert_eq!(row.reports[0].id, ReportId::of(series, "v5-1", "LCP"));
        assert_eq!(row.reports[0].value, 1_180);
        assert_eq!(row.origins[0].release, "v1");
    }
}
