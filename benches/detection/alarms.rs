//! Which alarm belongs to which change: each alarm is used once.

use longwatch::stats::detections::Detection;

use crate::fresh::Truth;

/// Rows by which an alarm may miss its change.
pub(crate) const MARGIN: usize = 5;

/// The alarms of a series, oldest first, and which of them something explains.
pub(crate) struct Alarms<'a> {
    all: Vec<&'a Detection>,
    is_used: Vec<bool>,
}

impl<'a> Alarms<'a> {
    /// Those of a series of so many rows; whatever is not told as a change is none.
    pub(crate) fn of(found: &'a [Detection], rows: usize) -> Alarms<'a> {
        let mut all: Vec<&Detection> = found
            .iter()
            .filter(|d| d.index < rows && matches!(d.kind, "step" | "bleed" | "epoch"))
            .collect();
        all.sort_by_key(|alarm| alarm.index);
        let is_used = vec![false; all.len()];
        Alarms { all, is_used }
    }

    /// Uses all unused alarms of a sort.
    pub(crate) fn take(&mut self, of_sort: impl Fn(&Detection) -> bool) -> Vec<&'a Detection> {
        let mut taken = Vec::new();
        for (alarm, is_used) in self.all.iter().zip(&mut self.is_used) {
            if !*is_used && of_sort(alarm) {
                *is_used = true;
                taken.push(*alarm);
            }
        }
        taken
    }

    /// Uses the unused alarm of a sort that is nearest to a row; whether there is one.
    pub(crate) fn take_nearest(
        &mut self,
        row: usize,
        of_sort: impl Fn(&Detection) -> bool,
    ) -> bool {
        let nearest = (0..self.all.len())
            .filter(|i| !self.is_used[*i] && of_sort(self.all[*i]))
            .min_by_key(|i| self.all[*i].index.abs_diff(row));
        if let Some(nearest) = nearest {
            self.is_used[nearest] = true;
        }
        nearest.is_some()
    }

    /// Pairs unused alarms with steps one to one, nearest pairs first, those that are called a step before others.
    pub(crate) fn pair_with_steps(&mut self, rows: &[usize]) -> Vec<Option<&'a Detection>> {
        let mut pairs = Vec::new();
        for (i, alarm) in self.all.iter().enumerate() {
            for (j, row) in rows.iter().enumerate() {
                let distance = alarm.index.abs_diff(*row);
                if !self.is_used[i] && alarm.kind != "epoch" && distance <= MARGIN {
                    pairs.push((distance, alarm.kind != "step", i, j));
                }
            }
        }
        pairs.sort_unstable();
        let mut told = vec![None; rows.len()];
        for (_, _, i, j) in pairs {
            if !self.is_used[i] && told[j].is_none() {
                self.is_used[i] = true;
                told[j] = Some(self.all[i]);
            }
        }
        told
    }

    /// To begin anew on a new machine does no harm, even where its level is the old one's.
    pub(crate) fn forgive_new_machines(&mut self, truth: &[Truth]) {
        for truth in truth {
            if let Truth::EnvChange { index, .. } = truth {
                self.take(|alarm| alarm.kind == "epoch" && alarm.index.abs_diff(*index) <= MARGIN);
            }
        }
    }

    /// Those that nothing explains.
    pub(crate) fn unused(&self) -> impl Iterator<Item = &'a Detection> {
        let both = self.all.iter().zip(&self.is_used);
        both.filter(|(_, is_used)| !**is_used)
            .map(|(alarm, _)| *alarm)
    }
}
