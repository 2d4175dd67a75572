//! The sentence about a gate's answer.

use super::state::Answer;

/// The page's sentence about a gate's answer; `because` is its most important reason, short.
pub fn headline(release: &str, gate: &str, answer: Answer, because: Option<&str>) -> String {
    let said = match answer {
        Answer::Pass => format!("{release} passes the gate “{gate}”"),
        Answer::Fail => format!("{release} does not pass the gate “{gate}”"),
        Answer::Inconclusive | Answer::TrackedOnly => {
            format!("The gate “{gate}” cannot decide about {release} yet")
        }
    };
    match because {
        Some(because) => format!("{said}: {because}"),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headline_names_release_gate_and_reason() {
        let said = headline(
            "v2.38",
            "release",
            Answer::Fail,
            Some("Parse import is proven slower"),
        );
        assert_eq!(
            said,
            "v2.38 does not pass the gate “release”: Parse import is proven slower"
        );
        assert_eq!(
            headline("v2.36", "release", Answer::Pass, None),
            "v2.36 passes the gate “release”"
        );
    }
}
