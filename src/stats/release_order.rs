//! The order of releases: along first parents where they are known, else by commit time, never by arrival.
//!
//! Source: Kahn (1962), topological sorting, taking the earliest ready release first. Assumes that a parent is older
//! than its child whatever the clocks say. Works from no releases up. A cycle in the parents, which only a wrong
//! report can make, is cut at its earliest member. Cannot see a parent that was never reported.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// A release as far as its order goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release<'a> {
    /// What others name it by as a parent: its commit, or its name where it has none. Unique in the list.
    pub id: &'a str,
    /// The first parent's id, where known; it need not be in the list.
    pub parent: Option<&'a str>,
    /// When it was committed, microseconds since the epoch in UTC.
    pub time_us: i64,
}

/// Positions in `releases` from the oldest to the newest. The answer depends on the set alone, not on its order:
/// equal times are settled by id.
pub fn order(releases: &[Release<'_>]) -> Vec<usize> {
    let known: BTreeMap<&str, usize> = releases
        .iter()
        .enumerate()
        .map(|(i, r)| (r.id, i))
        .collect();
    let parent_of = |i: usize| {
        releases[i]
            .parent
            .and_then(|p| known.get(p).copied())
            .filter(|p| *p != i)
    };
    let mut children = vec![Vec::new(); releases.len()];
    for i in 0..releases.len() {
        if let Some(parent) = parent_of(i) {
            children[parent].push(i);
        }
    }
    let key = |i: usize| Reverse((releases[i].time_us, releases[i].id, i));
    let mut waiting: BTreeSet<(i64, &str, usize)> = releases
        .iter()
        .enumerate()
        .map(|(i, r)| (r.time_us, r.id, i))
        .collect();
    let mut ready: BinaryHeap<_> = (0..releases.len())
        .filter(|i| parent_of(*i).is_none())
        .map(key)
        .collect();
    let mut ordered = Vec::with_capacity(releases.len());
    while ordered.len() < releases.len() {
        // Nothing ready although some wait: they stand in or behind a cycle, and the earliest of them goes first.
        let next = ready
            .pop()
            .map(|Reverse((_, _, i))| i)
            .or_else(|| waiting.first().map(|(_, _, i)| *i));
        let Some(i) = next else { break };
        if !waiting.remove(&(releases[i].time_us, releases[i].id, i)) {
            continue;
        }
        ordered.push(i);
        ready.extend(children[i].iter().map(|child| key(*child)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names<'a>(releases: &[Release<'a>]) -> Vec<&'a str> {
        order(releases)
            .into_iter()
            .map(|i| releases[i].id)
            .collect()
    }

    fn release<'a>(id: &'a str, parent: Option<&'a str>, time_us: i64) -> Release<'a> {
        Release {
            id,
            parent,
            time_us,
        }
    }

    #[test]
    fn a_parent_comes_first_even_if_its_clock_was_ahead() {
        let releases = [
            release("b", Some("a"), 10),
            release("a", None, 99),
            release("c", Some("b"), 20),
        ];
        assert_eq!(names(&releases), ["a", "b", "c"]);
    }

    #[test]
    fn without_parents_commit_time_decides_and_arrival_does_not() {
        assert_eq!(
            names(&[
                release("new", None, 3),
                release("old", None, 1),
                release("middle", None, 2)
            ]),
            ["old", "middle", "new"]
        );
    }

    #[test]
    fn a_circle_of_parents_is_cut_at_its_earliest() {
        let releases = [
            release("x", Some("z"), 5),
            release("y", Some("x"), 6),
            release("z", Some("y"), 7),
            release("own", Some("own"), 1),
        ];
        assert_eq!(names(&releases), ["own", "x", "y", "z"]);
    }

    proptest! {
        #[test]
        fn every_release_comes_once_after_its_parent_whatever_the_arrival(
            times in proptest::collection::vec(0_i64..50, 1..40),
            parents in proptest::collection::vec(proptest::option::of(0_usize..40), 40),
            rotation in 0_usize..40,
        ) {
            let ids: Vec<String> = (0..times.len()).map(|i| format!("r{i:02}")).collect();
            // Parents with a smaller number only, so that there is no cycle.
            let mut releases: Vec<Release<'_>> = times
                .iter()
                .enumerate()
                .map(|(i, t)| release(&ids[i], parents[i].filter(|p| *p < i).map(|p| ids[p].as_str()), *t))
                .collect();
            let first = names(&releases);
            let middle = rotation % releases.len();
            releases.rotate_left(middle);
            prop_assert_eq!(&first, &names(&releases));
            prop_assert_eq!(first.len(), releases.len());
            let place = |id: &str| first.iter().position(|x| *x == id);
            for r in &releases {
                prop_assert!(r.parent.is_none_or(|p| place(p) < place(r.id)));
            }
        }
    }
}
