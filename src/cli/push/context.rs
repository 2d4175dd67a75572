//! The run's context: what the caller gives, then what CI tells, as the query of an upload.

use collectors::Format;

use super::super::Failure;
use super::super::ci::CiRun;
use super::super::moment::Moment;
use super::super::parse::format;

/// What can be given about a run.
#[derive(clap::Args)]
#[command(next_help_heading = "What was measured")]
pub(super) struct Given {
    /// The release; else the commit names it
    #[arg(long, value_name = "NAME")]
    release: Option<String>,
    /// The commit
    #[arg(long, value_name = "HASH")]
    commit: Option<String>,
    /// The commit before it; for a pull request its merge base
    #[arg(long, value_name = "HASH")]
    parent: Option<String>,
    /// The branch
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// The pull request, which never moves a baseline
    #[arg(long, value_name = "NUMBER")]
    pr: Option<String>,
    /// When the run began, as in 2026-11-20T10:00:00Z
    #[arg(long, value_name = "TIME")]
    time: Option<Moment>,
    /// The kind of machine; results of two kinds are never mixed
    #[arg(long, value_name = "NAME", env = "LONGWATCH_TESTBED")]
    testbed: Option<String>,
    /// The run; its attempts are runs of their own
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// A tag of what was measured; a new one starts an epoch
    #[arg(long, value_name = "TAG")]
    workload: Option<String>,
    /// A tag of how it was measured; a new one starts an epoch
    #[arg(long, value_name = "TAG")]
    harness: Option<String>,
    /// The files' format; `auto` recognises it
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    format: String,
    /// The unit of values whose file states none
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// The flow of a file that does not name its own
    #[arg(long, value_name = "NAME")]
    flow: Option<String>,
    /// A label for all series, as often as needed
    #[arg(long = "label", value_name = "KEY=VALUE")]
    labels: Vec<String>,
    /// Take nothing from CI variables
    #[arg(long)]
    no_ci: bool,
}

/// The context as the pairs of a query, sorted: the same context gives the same text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) query: Vec<(String, String)>,
}

impl Context {
    /// Errs where a label has no value or the format is not known.
    pub(super) fn of(given: &Given) -> Result<Self, Failure> {
        let ci = if given.no_ci {
            CiRun::default()
        } else {
            CiRun::here()
        };
        Self::filled(given, ci)
    }

    fn filled(given: &Given, ci: CiRun) -> Result<Self, Failure> {
        let or = |given: &Option<String>, ci: Option<String>| given.clone().or(ci);
        let fields = [
            ("release", or(&given.release, ci.release)),
            ("commit", or(&given.commit, ci.commit)),
            ("parent", or(&given.parent, ci.parent)),
            ("branch", or(&given.branch, ci.branch)),
            ("pr", or(&given.pr, ci.pr)),
            ("time", given.time.map(|time| time.to_string())),
            ("testbed", given.testbed.clone()),
            ("run", or(&given.run, ci.run)),
            ("workload", given.workload.clone()),
            ("harness", given.harness.clone()),
            (
                "format",
                Some(
                    format(&given.format)?
                        .map_or("auto", Format::name)
                        .to_owned(),
                ),
            ),
            ("unit", given.unit.clone()),
            ("flow", given.flow.clone()),
        ];
        let given_fields = fields.into_iter().filter_map(|(name, value)| {
            Some((name.to_owned(), value.filter(|value| !value.is_empty())?))
        });
        let labels = given
            .labels
            .iter()
            .map(|text| label(text))
            .collect::<Result<Vec<_>, _>>()?;
        let mut query: Vec<_> = given_fields.chain(labels).collect();
        query.sort();
        Ok(Self { query })
    }

    /// The value of a field, where it is known.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

fn label(text: &str) -> Result<(String, String), Failure> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((format!("label.{}", key.trim()), value.trim().to_owned()))
        }
        _ => Err(Failure::usage(
            format!("`{text}` is no label"),
            "write --label key=value",
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        given: Given,
    }

    fn given(arguments: &[&str]) -> Given {
        Line::parse_from(["push"].iter().chain(arguments)).given
    }

    fn query(arguments: &[&str], ci: CiRun) -> Vec<String> {
        Context::filled(&given(arguments), ci)
            .unwrap()
            .query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    #[test]
    fn what_is_given_wins_over_ci_and_ci_fills_the_rest() {
        let ci = CiRun {
            commit: Some("abc".to_owned()),
            branch: Some("main".to_owned()),
            ..CiRun::default()
        };
        assert_eq!(
            query(&["--commit", "def", "--label", "b=2", "--label", "a=1"], ci),
            [
                "branch=main",
                "commit=def",
                "format=auto",
                "label.a=1",
                "label.b=2"
            ]
        );
    }

    #[test]
    fn an_unknown_format_or_a_label_without_value_is_wrong_usage() {
        for arguments in [["--format", "gzip"], ["--label", "a"], ["--label", "=1"]] {
            let failure = Context::filled(&given(&arguments), CiRun::default()).unwrap_err();
            assert_eq!(failure.exit(), crate::cli::Exit::Failed, "{arguments:?}");
        }
    }
}
