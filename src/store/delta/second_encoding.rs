//! Journal rows with the index of each bucket, as they were written before [`gaps`](super::gaps); a database that was not
//! folded to the end holds some.

use serde::Deserialize;

use super::row::{Origin, Part, Report};
use super::{ReportId, Summary, Values};

/// First byte of such a row.
pub(super) const ENCODING: u8 = 2;

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct SecondPart {
    origin: u32,
    time_us: i64,
    values: SecondValues,
    failed: u64,
    dropped: u64,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
enum SecondValues {
    Raw(Vec<u64>),
    Pairs(Vec<(u32, u64)>),
    Explicit {
        bounds: Vec<f64>,
        counts: Vec<u64>,
    },
    Summary(Summary),
    Exact(f64),
    Report {
        id: ReportId,
        sequence: u64,
        value: u64,
    },
}

/// Origins, reports and the other deltas.
type Contents = (Vec<Origin>, Vec<Report>, Vec<Part>);

/// What a row holds, without its first byte.
pub(super) fn decode(row: &[u8]) -> Result<Contents, postcard::Error> {
    let (origins, reports, parts): (_, _, Vec<SecondPart>) = postcard::from_bytes(row)?;
    Ok((
        origins,
        reports,
        parts.into_iter().map(Part::from).collect(),
    ))
}

impl From<SecondPart> for Part {
    fn from(second: SecondPart) -> Part {
        Part {
            origin: second.origin,
            time_us: second.time_us,
            values: match second.values {
                SecondValues::Raw(values) => Values::Raw(values),
                SecondValues::Pairs(pairs) => Values::Pairs(pairs),
                SecondValues::Explicit { bounds, counts } => Values::Explicit { bounds, counts },
                SecondValues::Summary(summary) => Values::Summary(summary),
                SecondValues::Exact(value) => Values::Exact(value),
                SecondValues::Report {
                    id,
                    sequence,
                    value,
                } => Values::Report {
                    id,
                    sequence,
                    value,
                },
            },
            failed: second.failed,
            dropped: second.dropped,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rows_of_the_second_encoding_are_read() {
        let part = SecondPart {
            origin: 0,
            time_us: 7,
            values: SecondValues::Pairs(vec![(20_000, 3), (20_001, 4)]),
            failed: 1,
            dropped: 2,
        };
        let none: Vec<u8> = Vec::new();
        let row = postcard::to_allocvec(&(&none, &none, vec![part])).unwrap();
        let (_, _, parts) = decode(&row).unwrap();
        let read = Part {
            origin: 0,
            time_us: 7,
            values: Values::Pairs(vec![(20_000, 3), (20_001, 4)]),
            failed: 1,
            dropped: 2,
        };
        assert_eq!(parts, [read]);
    }
}
