//! One journal row: what was measured where stands once, and the measurements name it by number.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::{SeriesId, StoreError};
use super::{Delta, ReportId, RunRef, Stratum, Values, first_encoding, second_encoding};

/// First byte of a journal row, so that a later encoding can be told from this one.
const ENCODING: u8 = 3;

/// What was measured where.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The series.
    #[serde(with = "raw")]
    pub series: SeriesId,
    /// Release that was measured; empty when nobody said (field data of unlabelled pages).
    pub release: String,
    /// The run for `bench`, `load` and `lab`; `None` for the field, whose unit is the UTC day.
    pub run: Option<RunRef>,
    /// Sampling rate and mix class.
    pub stratum: Stratum,
}

/// A journal row.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::store) struct Row {
    pub origins: Vec<Arc<Origin>>,
    pub reports: Vec<Report>,
    parts: Vec<Part>,
}

/// One report of a page view's metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(in crate::store) struct Report {
    /// Where in [`Row::origins`].
    pub origin: u32,
    pub id: ReportId,
    pub sequence: u64,
    pub value: u64,
    pub time_us: i64,
}

/// A delta's own part.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Part {
    pub(super) origin: u32,
    pub(super) time_us: i64,
    pub(super) values: Values,
    pub(super) failed: u64,
    pub(super) dropped: u64,
}

#[derive(Serialize)]
struct PartRef<'a> {
    origin: u32,
    time_us: i64,
    values: &'a Values,
    failed: u64,
    dropped: u64,
}

/// A series' id as its bytes; elsewhere it is written for people to read.
mod raw {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::super::super::{Id, SeriesId};

    pub(super) fn serialize<S: Serializer>(id: &SeriesId, to: S) -> Result<S::Ok, S::Error> {
        id.id().bytes().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SeriesId, D::Error> {
        Deserialize::deserialize(from).map(|bytes| SeriesId(Id(bytes)))
    }
}

impl Row {
    /// The deltas among them, whole again; those of one series where one is asked for.
    pub(in crate::store) fn deltas(
        &mut self,
        of: Option<SeriesId>,
    ) -> Result<Vec<Delta>, StoreError> {
        let mut deltas = Vec::new();
        for part in std::mem::take(&mut self.parts) {
            let origin = self.origin(part.origin)?;
            if of.is_none_or(|series| series == origin.series) {
                deltas.push(Delta {
                    origin: origin.clone(),
                    time_us: part.time_us,
                    values: part.values,
                    failed: part.failed,
                    dropped: part.dropped,
                });
            }
        }
        Ok(deltas)
    }

    /// Everything in it as deltas, reports too.
    pub(in crate::store) fn into_deltas(mut self) -> Result<Vec<Delta>, StoreError> {
        let mut deltas = self.deltas(None)?;
        for report in &self.reports {
            deltas.push(Delta {
                origin: self.origin(report.origin)?.clone(),
                time_us: report.time_us,
                values: Values::Report {
                    id: report.id,
                    sequence: report.sequence,
                    value: report.value,
                },
                failed: 0,
                dropped: 0,
            });
        }
        Ok(deltas)
    }

    /// What was measured where, each with the first time at which it was.
    pub(in crate::store) fn heard(&self) -> Vec<(Arc<Origin>, i64)> {
        let mut first_us = vec![i64::MAX; self.origins.len()];
        let reports = self.reports.iter().map(|it| (it.origin, it.time_us));
        let parts = self.parts.iter().map(|it| (it.origin, it.time_us));
        for (origin, time_us) in reports.chain(parts) {
            if let Some(first) = first_us.get_mut(origin as usize) {
                *first = time_us.min(*first);
            }
        }
        self.origins.iter().cloned().zip(first_us).collect()
    }

    /// What a measurement's number stands for.
    pub(in crate::store) fn origin(&self, number: u32) -> Result<&Arc<Origin>, StoreError> {
        self.origins
            .get(number as usize)
            .ok_or_else(|| StoreError::Corrupt(format!("journal row: no origin {number}")))
    }

    /// A row of the first encoding, in the shape of this one.
    pub(super) fn of_deltas(deltas: Vec<Delta>) -> Row {
        let mut row = Row::default();
        for delta in deltas {
            let number = row.origins.len() as u32;
            row.origins.push(delta.origin);
            match delta.values {
                Values::Report {
                    id,
                    sequence,
                    value,
                } => row.reports.push(Report {
                    origin: number,
                    id,
                    sequence,
                    value,
                    time_us: delta.time_us,
                }),
                values => row.parts.push(Part {
                    origin: number,
                    time_us: delta.time_us,
                    values,
                    failed: delta.failed,
                    dropped: delta.dropped,
                }),
            }
        }
        row
    }
}

/// Encodes one journal row.
pub(in crate::store) fn encode<'a>(
    deltas: impl Iterator<Item = &'a Delta>,
) -> Result<Vec<u8>, StoreError> {
    let mut origins: Vec<&Origin> = Vec::new();
    let mut numbers: HashMap<&Origin, u32> = HashMap::new();
    // Beacons of one place share its origin, which spares comparing them.
    let mut shared: HashMap<*const Origin, u32> = HashMap::new();
    let (mut reports, mut parts) = (Vec::new(), Vec::new());
    for delta in deltas {
        let origin = *shared.entry(Arc::as_ptr(&delta.origin)).or_insert_with(|| {
            *numbers.entry(&delta.origin).or_insert_with(|| {
                origins.push(&delta.origin);
                origins.len() as u32 - 1
            })
        });
        match &delta.values {
            Values::Report {
                id,
                sequence,
                value,
            } => reports.push(Report {
                origin,
                id: *id,
                sequence: *sequence,
                value: *value,
                time_us: delta.time_us,
            }),
            values => parts.push(PartRef {
                origin,
                time_us: delta.time_us,
                values,
                failed: delta.failed,
                dropped: delta.dropped,
            }),
        }
    }
    postcard::to_extend(&(origins, reports, parts), vec![ENCODING])
        .map_err(|error| StoreError::Corrupt(format!("journal row: {error}")))
}

/// Decodes one journal row, of this encoding or one before.
pub(in crate::store) fn decode(row: &[u8]) -> Result<Row, StoreError> {
    let corrupt = |error| StoreError::Corrupt(format!("journal row: {error}"));
    let of = |(origins, reports, parts): (Vec<Origin>, _, _)| Row {
        origins: origins.into_iter().map(Arc::new).collect(),
        reports,
        parts,
    };
    match row.split_first() {
        Some((&ENCODING, rest)) => postcard::from_bytes(rest).map(of).map_err(corrupt),
        Some((&second_encoding::ENCODING, rest)) => {
            second_encoding::decode(rest).map(of).map_err(corrupt)
        }
        Some((&first_encoding::ENCODING, rest)) => first_encoding::decode(rest)
            .map(Row::of_deltas)
            .map_err(corrupt),
        _ => Err(StoreError::Corrupt(
            "journal row of unknown encoding".into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::super::Id;
    use super::*;

    fn delta(series: SeriesId, values: Values) -> Delta {
        Delta {
            origin: Arc::new(Origin {
                series,
                release: "v2.31".into(),
                run: None,
                stratum: Stratum::whole(),
            }),
            time_us: 1_700_000_000_000_000,
            values,
            failed: 1,
            dropped: 2,
        }
    }

    #[test]
    fn a_row_reads_back_as_written() {
        let (series, other) = (SeriesId(Id::new()), SeriesId(Id::new()));
        let all = [
            delta(series, Values::Raw(vec![0, 1, u64::MAX])),
            delta(other, Values::Exact(1.5)),
        ];
        let row = encode(all.iter()).unwrap();
        assert_eq!(decode(&row).unwrap().deltas(None).unwrap(), all);
        assert_eq!(
            decode(&row).unwrap().deltas(Some(other)).unwrap(),
            all[1..].to_vec()
        );
    }

    #[test]
    fn reports_of_one_origin_share_it() {
        let series = SeriesId(Id::new());
        let report = |id: &str, value| {
            delta(
                series,
                Values::Report {
                    id: ReportId::of(series, id, "LCP"),
                    sequence: 1,
                    value,
                },
            )
        };
        let all = [report("a", 7), report("b", 8)];
        let row = decode(&encode(all.iter()).unwrap()).unwrap();
        assert_eq!(row.origins.len(), 1);
        assert_eq!(row.reports.len(), 2);
        assert_eq!(row.reports[1].value, 8);
    }

    #[test]
    fn what_is_no_row_is_told_apart() {
        assert!(decode(&[9, 9]).is_err());
        assert!(decode(&[]).is_err());
    }
}
