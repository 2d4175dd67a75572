//! One journal row: what was measured where stands once, and the measurements name it by number.

use std::borrow::Cow;
use std::collections::btree_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use collectors::histogram::Histogram;
use serde::{Deserialize, Serialize};

use super::super::windows::HOUR_US;
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
    values: Cow<'a, Values>,
    failed: u64,
    dropped: u64,
}

/// Histograms of one origin and hour, which go to the same windows: one of them all is written.
struct Merged {
    /// Where in the row's parts; its time is the first of theirs.
    part: usize,
    last_us: i64,
    /// Nothing as long as there is but one.
    histogram: Option<Histogram>,
}

impl Merged {
    /// Takes one more in, or nothing of it where they don't add up.
    fn add(&mut self, part: &mut PartRef<'_>, delta: &Delta, pairs: &[(u32, u64)]) -> Option<()> {
        let failed = part.failed.checked_add(delta.failed)?;
        let dropped = part.dropped.checked_add(delta.dropped)?;
        let histogram = match (&mut self.histogram, &*part.values) {
            (Some(histogram), _) => histogram,
            (none, Values::Pairs(first)) => none.insert(Histogram::from_pairs(first.clone()).ok()?),
            _ => return None,
        };
        histogram.merge_pairs(pairs).ok()?;
        part.failed = failed;
        part.dropped = dropped;
        part.time_us = part.time_us.min(delta.time_us);
        self.last_us = self.last_us.max(delta.time_us);
        Some(())
    }
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

/// Encodes one journal row. Histograms of one origin and hour become one, with another that is empty and has the time of the
/// last of them.
pub(in crate::store) fn encode<'a>(
    deltas: impl Iterator<Item = &'a Delta>,
) -> Result<Vec<u8>, StoreError> {
    let mut origins: Vec<&Origin> = Vec::new();
    let mut numbers: HashMap<&Origin, u32> = HashMap::new();
    // Beacons of one place share its origin, which spares comparing them.
    let mut shared: HashMap<*const Origin, u32> = HashMap::new();
    let (mut reports, mut parts) = (Vec::new(), Vec::new());
    let mut merged: BTreeMap<(u32, i64), Merged> = BTreeMap::new();
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
            values => {
                let place = (origin, delta.time_us.div_euclid(HOUR_US));
                if let Values::Pairs(pairs) = values {
                    match merged.entry(place) {
                        Occupied(mut same) => {
                            let same = same.get_mut();
                            let is_taken = same.add(&mut parts[same.part], delta, pairs);
                            if is_taken.is_some() {
                                continue;
                            }
                        }
                        Vacant(first) => {
                            first.insert(Merged {
                                part: parts.len(),
                                last_us: delta.time_us,
                                histogram: None,
                            });
                        }
                    }
                }
                parts.push(PartRef {
                    origin,
                    time_us: delta.time_us,
                    values: Cow::Borrowed(values),
                    failed: delta.failed,
                    dropped: delta.dropped,
                });
            }
        }
    }
    for ((origin, _), same) in merged {
        let Some(histogram) = same.histogram else {
            continue;
        };
        parts[same.part].values = Cow::Owned(Values::Pairs(histogram.into_pairs()));
        if same.last_us > parts[same.part].time_us {
            parts.push(PartRef {
                origin,
                time_us: same.last_us,
                values: Cow::Owned(Values::Pairs(Vec::new())),
                failed: 0,
                dropped: 0,
            });
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
    fn histograms_of_one_origin_and_hour_become_one_that_spans_their_times() {
        let series = SeriesId(Id::new());
        let at = |time_us, pairs: &[(u32, u64)]| Delta {
            time_us,
            ..delta(series, Values::Pairs(pairs.to_vec()))
        };
        let other = Delta {
            origin: Arc::new(Origin {
                release: "v2.32".into(),
                ..(*at(0, &[]).origin).clone()
            }),
            ..at(20, &[(7, 1)])
        };
        let all = [
            at(20, &[(7, 1), (9, 2)]),
            at(HOUR_US, &[(7, 1)]),
            other.clone(),
            at(10, &[(9, 3)]),
            at(30, &[(8, 1)]),
            at(15, &[(8, u64::MAX)]),
        ];
        let mut read = decode(&encode(all.iter()).unwrap()).unwrap();
        let merged = Delta {
            failed: 3,
            dropped: 6,
            ..at(10, &[(7, 1), (8, 1), (9, 5)])
        };
        let until = Delta {
            failed: 0,
            dropped: 0,
            ..at(30, &[])
        };
        let expected = [
            merged,
            at(HOUR_US, &[(7, 1)]),
            other,
            at(15, &[(8, u64::MAX)]),
            until,
        ];
        assert_eq!(read.deltas(None).unwrap(), expected);
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
