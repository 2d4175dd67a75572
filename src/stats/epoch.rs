//! Where a series is measured anew: a changed workload, harness or machine ends an epoch.
//!
//! Source: the contract of the project; the wait for a machine follows the control-chart habit of runs rules (Western
//! Electric 1956). Assumes that identities are stated truthfully and in release order. Workload and harness count at
//! once, a machine when three runs in a row stand on it, so that one stray runner re-baselines nothing. Cannot see a
//! change that nobody states: a whole testbed that shifts silently is [`super::common_mode`]'s to tell.

/// How one run was measured; what is `None` was not stated and changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Identity<'a> {
    /// What was measured, as a version tag.
    pub workload: Option<&'a str>,
    /// How it was measured, as a version tag.
    pub harness: Option<&'a str>,
    /// The machine: CPU model, OS and the tool's major version, in words.
    pub fingerprint: Option<&'a str>,
}

/// What began an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Something else is measured.
    Workload,
    /// It is measured in another way.
    Harness,
    /// It is measured on another machine.
    Machine,
    /// All series of its testbed moved together, though nothing was declared.
    Testbed,
}

/// The first run of a new epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary {
    /// Position of the run.
    pub index: usize,
    /// Why.
    pub cause: Cause,
    /// What changed, in words: "machine: Xeon 8272 → EPYC 7763".
    pub reason: String,
}

/// How many runs in a row a new machine must stay before it starts an epoch.
pub const MACHINE_STAYS: usize = 3;

/// A machine that came and went this often within an epoch belongs to a mixed fleet; its return is no news.
const VISITS_OF_A_FLEET: usize = 2;

/// The boundaries of `runs`, which are given oldest first. A machine's boundary stands at its first run.
pub fn boundaries(runs: &[Identity<'_>]) -> Vec<Boundary> {
    let mut found = Vec::new();
    let mut state = Epoch::default();
    for (index, run) in runs.iter().enumerate() {
        let declared = changed(state.workload, run.workload, Cause::Workload, "workload")
            .or_else(|| changed(state.harness, run.harness, Cause::Harness, "harness"));
        state.workload = run.workload.or(state.workload);
        state.harness = run.harness.or(state.harness);
        if let Some((cause, reason)) = declared {
            found.push(Boundary {
                index,
                cause,
                reason,
            });
            state.machine = run.fingerprint.or(state.machine);
            state.forget_visits();
        } else if let Some(boundary) = state.machine_at(index, run.fingerprint) {
            found.push(boundary);
        }
    }
    found
}

fn changed(
    before: Option<&str>,
    now: Option<&str>,
    cause: Cause,
    word: &str,
) -> Option<(Cause, String)> {
    match (before, now) {
        (Some(old), Some(new)) if old != new => Some((cause, format!("{word}: {old} → {new}"))),
        _ => None,
    }
}

/// What the running epoch is measured with, and who else was seen in it.
#[derive(Default)]
struct Epoch<'a> {
    workload: Option<&'a str>,
    harness: Option<&'a str>,
    machine: Option<&'a str>,
    /// The other machine that runs stand on now: its name, first run, and how many in a row.
    candidate: Option<(&'a str, usize, usize)>,
    /// Machines whose visits ended.
    visits: Vec<&'a str>,
}

impl<'a> Epoch<'a> {
    fn forget_visits(&mut self) {
        self.candidate = None;
        self.visits.clear();
    }

    fn machine_at(&mut self, index: usize, fingerprint: Option<&'a str>) -> Option<Boundary> {
        let now = fingerprint?;
        let Some(before) = self.machine else {
            self.machine = Some(now);
            return None;
        };
        if let Some((visitor, _, _)) = self.candidate.filter(|(name, _, _)| *name != now) {
            self.visits.push(visitor);
            self.candidate = None;
        }
        if now == before {
            return None;
        }
        let (_, first, stayed) = self.candidate.unwrap_or((now, index, 0));
        self.candidate = Some((now, first, stayed + 1));
        let visited = self.visits.iter().filter(|name| **name == now).count();
        if stayed + 1 < MACHINE_STAYS || visited >= VISITS_OF_A_FLEET {
            return None;
        }
        self.machine = Some(now);
        self.forget_visits();
        Some(Boundary {
            index: first,
            cause: Cause::Machine,
            reason: format!("machine: {before} → {now}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(machines: &str) -> Vec<Boundary> {
        let names: Vec<String> = machines.chars().map(String::from).collect();
        let runs: Vec<Identity<'_>> = names
            .iter()
            .map(|m| Identity {
                fingerprint: (m != "?").then_some(m.as_str()),
                ..Identity::default()
            })
            .collect();
        boundaries(&runs)
    }

    fn places(machines: &str) -> Vec<usize> {
        on(machines).iter().map(|b| b.index).collect()
    }

    #[test]
    fn a_machine_that_stays_for_three_runs_starts_an_epoch_at_its_first() {
        assert!(places("aaaabb").is_empty());
        assert_eq!(places("aaaabbb"), [4]);
        assert_eq!(places("aaaabbbbaaaa"), [4, 8]);
        assert_eq!(
            on("aaaabbb").first().map(|b| b.reason.as_str()),
            Some("machine: a → b")
        );
    }

    #[test]
    fn one_stray_runner_starts_nothing() {
        assert!(places("aaaabaaaacaab").is_empty());
    }

    #[test]
    fn a_mixed_fleet_is_one_epoch() {
        assert!(places("aabaabaabbbaaabb").is_empty());
    }

    #[test]
    fn a_run_that_states_no_machine_neither_ends_nor_resets_anything() {
        assert_eq!(places("aaaab?bb"), [4]);
        assert!(places("??aaa").is_empty());
    }

    #[test]
    fn a_new_workload_or_harness_counts_at_once() {
        let run = |workload, harness| Identity {
            workload: Some(workload),
            harness: Some(harness),
            fingerprint: None,
        };
        let found = boundaries(&[
            run("w1", "h1"),
            run("w2", "h1"),
            run("w2", "h1"),
            run("w2", "h2"),
        ]);
        let causes: Vec<(usize, Cause)> = found.iter().map(|b| (b.index, b.cause)).collect();
        assert_eq!(causes, [(1, Cause::Workload), (3, Cause::Harness)]);
    }
}
