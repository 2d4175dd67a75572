//! Which report of a page view is the last one: pure, over blocks of reports.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::delta::{Origin, Report, Row};
use super::super::{Delta, ReportId, SeriesId, StoreError, Values};

/// A page view closes this long after its last report, microseconds.
pub(in crate::store) const OPEN_US: i64 = 30 * 60 * 1_000_000;
/// Page views are closed together by the stretch of time in which they were last heard of, microseconds.
pub(super) const BUCKET_US: i64 = 10 * 60 * 1_000_000;
/// Microseconds of an hour.
const HOUR_US: i64 = 3_600_000_000;

/// What is known of one metric of one page view.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::store) struct Open {
    /// Where in [`Block::origins`] it was first heard of.
    pub origin: u32,
    pub id: ReportId,
    pub sequence: u64,
    pub value: u64,
    pub first_us: i64,
    pub last_us: i64,
    /// How many reports said it.
    pub times: u32,
}

impl Open {
    /// What one report says.
    pub(in crate::store) fn heard(origin: u32, report: &Report) -> Open {
        Open {
            origin,
            id: report.id,
            sequence: report.sequence,
            value: report.value,
            first_us: report.time_us,
            last_us: report.time_us,
            times: 1,
        }
    }

    /// Takes in what another report says of the same thing: the highest sequence has the last word, where the sender
    /// does not count the latest; what it belongs to is what the first one said.
    fn take_in(&mut self, other: &Open) {
        if (other.sequence, other.last_us) >= (self.sequence, self.last_us) {
            (self.sequence, self.value) = (other.sequence, other.value);
        }
        if other.first_us < self.first_us {
            (self.first_us, self.origin) = (other.first_us, other.origin);
        }
        self.last_us = self.last_us.max(other.last_us);
        self.times += other.times;
    }
}

/// The start of the stretch that a moment lies in.
pub(super) fn bucket_of(time_us: i64) -> i64 {
    time_us.div_euclid(BUCKET_US) * BUCKET_US
}

/// Reports with what they belong to.
#[derive(Debug, Default)]
pub(in crate::store) struct Block {
    origins: Vec<Arc<Origin>>,
    numbers: HashMap<Arc<Origin>, u32>,
    reports: HashMap<ReportId, Open>,
}

/// A report as it lies on disk: origin, id, sequence, value, first moment from its bucket's start, how long it was heard
/// of, how often.
type StoredReport = (u32, ReportId, u64, u64, i64, u64, u32);

impl Block {
    /// The number of an origin in this block.
    pub(in crate::store) fn number(&mut self, origin: &Arc<Origin>) -> u32 {
        if let Some(number) = self.numbers.get(origin) {
            return *number;
        }
        let number = self.origins.len() as u32;
        self.origins.push(origin.clone());
        self.numbers.insert(origin.clone(), number);
        number
    }

    /// Takes in a report whose origin is one of this block's.
    pub(in crate::store) fn add(&mut self, report: Open) {
        match self.reports.entry(report.id) {
            Entry::Vacant(place) => {
                place.insert(report);
            }
            Entry::Occupied(mut known) => known.get_mut().take_in(&report),
        }
    }

    /// Takes in a stored block; of one series only, where one is asked for.
    pub(in crate::store) fn add_all(
        &mut self,
        stored: &StoredBlock,
        keep: impl Fn(&Origin) -> bool,
    ) -> Result<(), StoreError> {
        let mut numbers: Vec<Option<u32>> = Vec::with_capacity(stored.origins.len());
        for origin in &stored.origins {
            let number = keep(origin).then(|| self.number(origin));
            numbers.push(number);
        }
        for report in &stored.reports {
            let number = numbers.get(report.origin as usize).ok_or_else(|| {
                StoreError::Corrupt(format!("page views: no origin {}", report.origin))
            })?;
            if let Some(origin) = *number {
                self.add(Open { origin, ..*report });
            }
        }
        Ok(())
    }

    /// Takes in one series' reports of a journal row.
    pub(in crate::store) fn add_row(
        &mut self,
        row: &Row,
        series: SeriesId,
    ) -> Result<(), StoreError> {
        let mut numbers: Vec<Option<u32>> = Vec::with_capacity(row.origins.len());
        for origin in &row.origins {
            let number = (origin.series == series).then(|| self.number(origin));
            numbers.push(number);
        }
        for report in &row.reports {
            if let Some(origin) = numbers.get(report.origin as usize).copied().flatten() {
                self.add(Open::heard(origin, report));
            }
        }
        Ok(())
    }

    pub(in crate::store) fn encode(&self, bucket_us: i64) -> Result<Vec<u8>, StoreError> {
        let mut reports: Vec<&Open> = self.reports.values().collect();
        // By id: the same reports make the same bytes.
        reports.sort_unstable_by_key(|report| report.id);
        let reports: Vec<StoredReport> = reports
            .into_iter()
            .map(|report| {
                (
                    report.origin,
                    report.id,
                    report.sequence,
                    report.value,
                    report.first_us - bucket_us,
                    (report.last_us - report.first_us) as u64,
                    report.times,
                )
            })
            .collect();
        let origins: Vec<&Origin> = self.origins.iter().map(Arc::as_ref).collect();
        postcard::to_allocvec(&(origins, reports))
            .map_err(|error| StoreError::Corrupt(format!("page views: {error}")))
    }

    /// The ids of all reports, ascending.
    pub(in crate::store) fn ids(&self) -> Vec<ReportId> {
        let mut ids: Vec<ReportId> = self.reports.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// The last words as samples, those of one hour and origin together.
    pub(in crate::store) fn deltas(&self) -> Vec<Delta> {
        samples(&self.origins, self.reports.values())
    }
}

/// Reports of one round of the fold as they were stored.
#[derive(Debug, PartialEq)]
pub(in crate::store) struct StoredBlock {
    origins: Vec<Arc<Origin>>,
    reports: Vec<Open>,
}

impl StoredBlock {
    /// How many page views' metrics it tells of.
    pub(in crate::store) fn len(&self) -> usize {
        self.reports.len()
    }

    pub(in crate::store) fn decode(row: &[u8], bucket_us: i64) -> Result<StoredBlock, StoreError> {
        let (origins, reports): (Vec<Origin>, Vec<StoredReport>) = postcard::from_bytes(row)
            .map_err(|error| StoreError::Corrupt(format!("page views: {error}")))?;
        let reports = reports
            .into_iter()
            .map(|(origin, id, sequence, value, first, length, times)| {
                let first_us = bucket_us.saturating_add(first);
                Open {
                    origin,
                    id,
                    sequence,
                    value,
                    first_us,
                    last_us: first_us.saturating_add_unsigned(length),
                    times,
                }
            })
            .collect();
        Ok(StoredBlock {
            origins: origins.into_iter().map(Arc::new).collect(),
            reports,
        })
    }
}

/// What becomes of a bucket's page views.
#[derive(Debug, Default)]
pub(super) struct Closing {
    /// The last words, as samples.
    pub samples: Vec<Delta>,
    /// Whose they are, in ascending order.
    pub closed: Vec<ReportId>,
    /// Page views that were heard of again in time, by the bucket in which.
    pub carried: BTreeMap<i64, Block>,
    /// Reports of page views that had closed before.
    pub late: u64,
}

/// What is next heard of each page view after a bucket, by id: when, and in which bucket it lies. That need not be the
/// bucket of the moment, since what was carried on lies with what came after it.
#[derive(Debug, Default)]
pub(super) struct Next(HashMap<ReportId, (i64, i64)>);

impl Next {
    /// Takes in a block of a later bucket.
    pub(in crate::store) fn add(&mut self, block: &StoredBlock, bucket_us: i64) {
        for report in &block.reports {
            let here = (report.first_us, bucket_us);
            let next = self.0.entry(report.id).or_insert(here);
            *next = (*next).min(here);
        }
    }
}

/// Settles a bucket: `was_closed` tells of ascending ids which of them had closed before.
pub(super) fn close(bucket: Block, next: &Next, was_closed: &[ReportId]) -> Closing {
    let mut closing = Closing::default();
    let mut reports: Vec<Open> = bucket.reports.into_values().collect();
    reports.sort_unstable_by_key(|report| report.id);
    reports.retain(|report| {
        let late = was_closed.binary_search(&report.id).is_ok();
        closing.late += if late { u64::from(report.times) } else { 0 };
        !late
    });
    reports.retain(|report| {
        let again = next.0.get(&report.id).copied();
        let Some((_, bucket_us)) = again.filter(|(next_us, _)| next_us - report.last_us <= OPEN_US)
        else {
            return true;
        };
        let block = closing.carried.entry(bucket_us).or_default();
        if let Some(origin) = bucket.origins.get(report.origin as usize) {
            let origin = block.number(origin);
            block.add(Open { origin, ..*report });
        }
        false
    });
    closing.closed = reports.iter().map(|report| report.id).collect();
    closing.samples = samples(&bucket.origins, reports.iter());
    closing
}

/// One delta for all samples of an origin in an hour, and one for the first of them, so that both moments are kept.
fn samples<'a>(origins: &[Arc<Origin>], reports: impl Iterator<Item = &'a Open>) -> Vec<Delta> {
    let mut by_hour: BTreeMap<(u32, i64), Vec<&Open>> = BTreeMap::new();
    for report in reports {
        let hour = report.first_us.div_euclid(HOUR_US);
        by_hour
            .entry((report.origin, hour))
            .or_default()
            .push(report);
    }
    let mut deltas = Vec::new();
    for ((origin, _), mut reports) in by_hour {
        let Some(origin) = origins.get(origin as usize) else {
            continue;
        };
        reports.sort_unstable_by_key(|report| (report.first_us, report.id));
        let (first, rest) = reports.split_at(1);
        for reports in [first, rest] {
            let Some(last) = reports.last() else { continue };
            deltas.push(Delta {
                origin: origin.clone(),
                time_us: last.first_us,
                values: Values::Raw(reports.iter().map(|report| report.value).collect()),
                failed: 0,
                dropped: 0,
            });
        }
    }
    deltas
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::super::{Id, SeriesId, Stratum};
    use super::*;

    const MINUTE_US: i64 = 60_000_000;

    fn origin(release: &str) -> Arc<Origin> {
        Arc::new(Origin {
            series: SeriesId(Id::of(&["series"])),
            release: release.into(),
            run: None,
            stratum: Stratum::whole(),
        })
    }

    fn report(id: u8, sequence: u64, value: u64, minute: i64) -> Open {
        Open {
            origin: 0,
            id: ReportId::from([id; 8]),
            sequence,
            value,
            first_us: minute * MINUTE_US,
            last_us: minute * MINUTE_US,
            times: 1,
        }
    }

    fn block(reports: &[Open]) -> Block {
        let mut block = Block::default();
        block.number(&origin("v1"));
        for report in reports {
            block.add(*report);
        }
        block
    }

    fn stored(reports: &[Open], bucket_us: i64) -> StoredBlock {
        StoredBlock::decode(&block(reports).encode(bucket_us).unwrap(), bucket_us).unwrap()
    }

    fn values(deltas: &[Delta]) -> Vec<u64> {
        let mut all: Vec<u64> = deltas
            .iter()
            .flat_map(|delta| match &delta.values {
                Values::Raw(values) => values.clone(),
                _ => Vec::new(),
            })
            .collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn a_block_reads_back_as_written() {
        let mut read = Block::default();
        let reports = [report(1, 1, 900, 3), report(2, 1, 50, 4)];
        read.add_all(&stored(&reports, 0), |_| true).unwrap();
        assert_eq!(read.reports, block(&reports).reports);
        assert!(StoredBlock::decode(&[7, 7, 7], 0).is_err());
    }

    #[test]
    fn a_page_view_without_a_further_report_closes_with_its_last_word() {
        let closing = close(
            block(&[report(1, 1, 900, 3), report(1, 2, 700, 5)]),
            &Next::default(),
            &[],
        );
        assert_eq!(values(&closing.samples), [700]);
        assert_eq!(closing.closed, [ReportId::from([1; 8])]);
    }

    #[test]
    fn one_that_is_heard_of_again_in_time_goes_on() {
        let mut next = Next::default();
        next.add(
            &stored(&[report(1, 2, 700, 34)], 30 * MINUTE_US),
            30 * MINUTE_US,
        );
        let closing = close(block(&[report(1, 1, 900, 5)]), &next, &[]);
        assert!(closing.samples.is_empty() && closing.closed.is_empty());
        assert_eq!(
            closing.carried.keys().copied().collect::<Vec<_>>(),
            [30 * MINUTE_US]
        );
    }

    #[test]
    fn what_comes_between_two_reports_goes_on_where_the_carried_one_lies() {
        // Heard at 5 and 25 minutes, the first carried on to the second's bucket; only then one at 15 arrives.
        let mut next = Next::default();
        let (carried, second) = (report(1, 1, 900, 5), report(1, 3, 700, 25));
        next.add(&stored(&[carried], 20 * MINUTE_US), 20 * MINUTE_US);
        next.add(&stored(&[second], 20 * MINUTE_US), 20 * MINUTE_US);
        let closing = close(block(&[report(1, 2, 800, 15)]), &next, &[]);
        assert!(closing.samples.is_empty());
        assert_eq!(
            closing.carried.keys().copied().collect::<Vec<_>>(),
            [20 * MINUTE_US]
        );
    }

    #[test]
    fn one_that_is_heard_of_after_half_an_hour_has_closed_and_the_report_is_late() {
        let mut next = Next::default();
        next.add(
            &stored(&[report(1, 2, 700, 36)], 30 * MINUTE_US),
            30 * MINUTE_US,
        );
        let first = close(block(&[report(1, 1, 900, 5)]), &next, &[]);
        assert_eq!(values(&first.samples), [900]);
        let second = close(
            block(&[report(1, 2, 700, 36)]),
            &Next::default(),
            &first.closed,
        );
        assert!(second.samples.is_empty());
        assert_eq!(second.late, 1);
    }

    #[test]
    fn a_report_belongs_to_what_the_first_one_said() {
        let mut both = Block::default();
        let (old, new) = (both.number(&origin("v1")), both.number(&origin("v2")));
        both.add(Open {
            origin: new,
            ..report(1, 2, 700, 6)
        });
        both.add(Open {
            origin: old,
            ..report(1, 1, 900, 5)
        });
        let deltas = both.deltas();
        assert_eq!(deltas[0].origin.release, "v1");
        assert_eq!(values(&deltas), [700]);
        assert_eq!(deltas[0].time_us, 5 * MINUTE_US);
    }

    proptest! {
        /// However the reports were spread over rounds and in whatever order they were taken in, the last words are
        /// those of a walk through all of them by time.
        #[test]
        fn the_last_word_does_not_depend_on_rounds(
            heard in proptest::collection::vec((0_u8..4, 0_i64..200, 0_u64..1_000, 0_usize..3), 1..40),
        ) {
            // Sequences follow time, as a sender counts them; equal moments are told apart by the sequence.
            let mut heard = heard;
            heard.sort_by_key(|(id, minute, ..)| (*id, *minute));
            heard.dedup_by_key(|(id, minute, ..)| (*id, *minute));
            let reports: Vec<(Open, usize)> = heard
                .iter()
                .enumerate()
                .map(|(at, (id, minute, value, round))| (report(*id, at as u64, *value, *minute), *round))
                .collect();

            let mut expected = Vec::new();
            let mut late = 0;
            for id in 0..4 {
                let mut of_id = reports.iter().map(|(report, _)| report).filter(|report| report.id == ReportId::from([id; 8]));
                let Some(first) = of_id.next() else { continue };
                let mut last = first;
                let mut open = true;
                for report in of_id {
                    open &= report.last_us - last.last_us <= OPEN_US;
                    if open { last = report } else { late += 1 }
                }
                expected.push(last.value);
            }
            expected.sort_unstable();

            let mut rows: BTreeMap<i64, Vec<StoredBlock>> = BTreeMap::new();
            for round in 0..3 {
                let mut buckets: BTreeMap<i64, Vec<Open>> = BTreeMap::new();
                for (report, _) in reports.iter().filter(|(_, its)| *its == round) {
                    buckets.entry(bucket_of(report.last_us)).or_default().push(*report);
                }
                for (bucket_us, reports) in buckets {
                    rows.entry(bucket_us).or_default().push(stored(&reports, bucket_us));
                }
            }
            let (mut got, mut closed, mut got_late) = (Vec::new(), Vec::new(), 0);
            while let Some((_, blocks)) = rows.pop_first() {
                let mut bucket = Block::default();
                for block in &blocks { bucket.add_all(block, |_| true).unwrap(); }
                let mut next = Next::default();
                for (bucket_us, blocks) in &rows {
                    for block in blocks { next.add(block, *bucket_us); }
                }
                let closing = close(bucket, &next, &closed);
                got.extend(values(&closing.samples));
                got_late += closing.late;
                closed.extend(closing.closed);
                closed.sort_unstable();
                for (bucket_us, block) in closing.carried {
                    let carried = StoredBlock::decode(&block.encode(bucket_us).unwrap(), bucket_us).unwrap();
                    rows.entry(bucket_us).or_default().push(carried);
                }
            }
            got.sort_unstable();
            prop_assert_eq!(got, expected);
            prop_assert_eq!(got_late, late);
        }
    }
}
