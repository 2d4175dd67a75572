//! What a continuous-integration system tells of the run in its environment: GitHub, GitLab, Jenkins, Buildkite.
//!
//! A run's name holds its attempt, so that a repeated job is a run of its own and its measurements are not taken for a
//! replay. The parent is the nearest earlier commit that the system names: the merge base of a pull request, else the
//! branch's previous head.

use serde_json::Value;

/// What is known of the run; empty texts count as unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct CiRun {
    pub(crate) release: Option<String>,
    pub(crate) commit: Option<String>,
    pub(crate) parent: Option<String>,
    pub(crate) branch: Option<String>,
    pub(crate) pr: Option<String>,
    pub(crate) run: Option<String>,
}

/// Looks a variable up.
type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

impl CiRun {
    /// Of this process' environment.
    pub(crate) fn here() -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let event = || {
            serde_json::from_slice(&std::fs::read(std::env::var_os("GITHUB_EVENT_PATH")?).ok()?)
                .ok()
        };
        Self::of(&variable, event)
    }

    /// Of an environment; `event` reads GitHub's event document, asked for only there.
    fn of(variable: Variables<'_>, event: impl FnOnce() -> Option<Value>) -> Self {
        let known = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        if known("GITHUB_ACTIONS").is_some() {
            github(&known, &event().unwrap_or_default())
        } else if known("GITLAB_CI").is_some() {
            gitlab(&known)
        } else if known("BUILDKITE").is_some() {
            buildkite(&known)
        } else if known("JENKINS_URL").is_some() || known("BUILD_TAG").is_some() {
            jenkins(&known)
        } else {
            Self::default()
        }
    }
}

/// A pull request's own commit and base stand in the event: `GITHUB_SHA` is a merge commit made for the check.
fn github(known: Variables<'_>, event: &Value) -> CiRun {
    let said = |pointer: &str| {
        event
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let is_tag = known("GITHUB_REF_TYPE").as_deref() == Some("tag");
    let pull = known("GITHUB_REF").and_then(|name| {
        Some(
            name.strip_prefix("refs/pull/")?
                .split('/')
                .next()?
                .to_owned(),
        )
    });
    let was_forced = event
        .get("forced")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let before = said("/before").filter(|_| !was_forced).and_then(commit);
    let name = known("GITHUB_REF_NAME");
    CiRun {
        release: name.clone().filter(|_| is_tag),
        commit: said("/pull_request/head/sha").or_else(|| known("GITHUB_SHA")),
        parent: said("/pull_request/base/sha").or(before),
        branch: known("GITHUB_HEAD_REF").or_else(|| name.filter(|_| !is_tag && pull.is_none())),
        pr: pull,
        run: known("GITHUB_RUN_ID").map(|id| {
            let job = known("GITHUB_JOB")
                .map(|job| format!("/{job}"))
                .unwrap_or_default();
            format!(
                "{id}.{}{job}",
                known("GITHUB_RUN_ATTEMPT").unwrap_or_else(|| "1".to_owned())
            )
        }),
    }
}

/// A repeated job has a new job id.
fn gitlab(known: Variables<'_>) -> CiRun {
    let merge_base = known("CI_MERGE_REQUEST_DIFF_BASE_SHA");
    CiRun {
        release: known("CI_COMMIT_TAG"),
        commit: known("CI_COMMIT_SHA"),
        parent: merge_base
            .or_else(|| known("CI_COMMIT_BEFORE_SHA"))
            .and_then(commit),
        branch: known("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME").or_else(|| known("CI_COMMIT_BRANCH")),
        pr: known("CI_MERGE_REQUEST_IID").or_else(|| known("CI_EXTERNAL_PULL_REQUEST_IID")),
        run: joined(known, "CI_PIPELINE_ID", "CI_JOB_ID", "."),
    }
}

fn jenkins(known: Variables<'_>) -> CiRun {
    let branch = known("BRANCH_NAME").or_else(|| known("GIT_BRANCH"));
    let is_pull = known("CHANGE_ID").is_some();
    CiRun {
        release: known("TAG_NAME"),
        commit: known("GIT_COMMIT"),
        parent: known("GIT_PREVIOUS_COMMIT")
            .filter(|_| !is_pull)
            .and_then(commit),
        branch: known("CHANGE_BRANCH").or_else(|| {
            let branch = branch.filter(|_| !is_pull && known("TAG_NAME").is_none())?;
            Some(branch.strip_prefix("origin/").unwrap_or(&branch).to_owned())
        }),
        pr: known("CHANGE_ID"),
        run: joined(known, "JOB_NAME", "BUILD_NUMBER", "#"),
    }
}

/// Repeats count from 0; parallel jobs of a step are runs of their own.
fn buildkite(known: Variables<'_>) -> CiRun {
    let tag = known("BUILDKITE_TAG");
    let attempt = known("BUILDKITE_RETRY_COUNT")
        .and_then(|count| count.parse::<u32>().ok())
        .map_or(1, |count| count.saturating_add(1));
    let part = |name: &str| {
        known(name)
            .map(|value| format!("/{value}"))
            .unwrap_or_default()
    };
    CiRun {
        release: tag.clone(),
        commit: known("BUILDKITE_COMMIT").and_then(commit),
        parent: None,
        branch: known("BUILDKITE_BRANCH").filter(|_| tag.is_none()),
        pr: known("BUILDKITE_PULL_REQUEST").filter(|number| number != "false"),
        run: joined(
            known,
            "BUILDKITE_PIPELINE_SLUG",
            "BUILDKITE_BUILD_NUMBER",
            "#",
        )
        .map(|build| {
            format!(
                "{build}.{attempt}{}{}",
                part("BUILDKITE_STEP_KEY"),
                part("BUILDKITE_PARALLEL_JOB")
            )
        }),
    }
}

/// Both values with a mark between them; the second alone where the first is unknown.
fn joined(known: Variables<'_>, first: &str, second: &str, mark: &str) -> Option<String> {
    match (known(first), known(second)) {
        (Some(first), Some(second)) => Some(format!("{first}{mark}{second}")),
        (first, second) => second.or(first),
    }
}

/// The text if it names a commit: neither `HEAD` nor the zeros that stand for "none".
fn commit(text: String) -> Option<String> {
    let is_hash = text.len() >= 7 && text.bytes().all(|b| b.is_ascii_hexdigit());
    (is_hash && text.bytes().any(|b| b != b'0')).then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SHA: &str = "9f3c2b7a9f3c2b7a9f3c2b7a9f3c2b7a9f3c2b7a";
    const ZEROS: &str = "0000000000000000000000000000000000000000";

    fn run(variables: &[(&str, &str)], event: Value) -> CiRun {
        let lookup = |name: &str| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        CiRun::of(&lookup, || Some(event))
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_push_on_github_names_its_attempt_and_the_previous_head() {
        let variables = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_SHA", SHA),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_REF_TYPE", "branch"),
            ("GITHUB_REF_NAME", "main"),
            ("GITHUB_HEAD_REF", ""),
            ("GITHUB_RUN_ID", "812"),
            ("GITHUB_RUN_ATTEMPT", "2"),
            ("GITHUB_JOB", "bench"),
        ];
        let pushed = run(&variables, json!({"before": "abcdef1", "forced": false}));
        let expected = CiRun {
            commit: some(SHA),
            parent: some("abcdef1"),
            branch: some("main"),
            run: some("812.2/bench"),
            ..CiRun::default()
        };
        assert_eq!(pushed, expected);
        assert_eq!(
            run(&variables, json!({"before": "abcdef1", "forced": true})).parent,
            None
        );
    }

    #[test]
    fn a_pull_request_on_github_is_its_own_head_and_not_the_merge_commit() {
        let variables = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_SHA", "1111111"),
            ("GITHUB_REF", "refs/pull/12/merge"),
            ("GITHUB_REF_NAME", "12/merge"),
            ("GITHUB_HEAD_REF", "faster"),
            ("GITHUB_RUN_ID", "812"),
        ];
        let event = json!({"pull_request": {"head": {"sha": SHA}, "base": {"sha": "abcdef1"}}});
        let expected = CiRun {
            commit: some(SHA),
            parent: some("abcdef1"),
            branch: some("faster"),
            pr: some("12"),
            run: some("812.1"),
            ..CiRun::default()
        };
        assert_eq!(run(&variables, event), expected);
    }

    #[test]
    fn a_tag_is_a_release_and_no_branch() {
        let github = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REF_TYPE", "tag"),
            ("GITHUB_REF_NAME", "v2.31"),
        ];
        let gitlab = [("GITLAB_CI", "true"), ("CI_COMMIT_TAG", "v2.31")];
        for variables in [&github[..], &gitlab[..]] {
            let tagged = run(variables, Value::Null);
            assert_eq!((tagged.release, tagged.branch), (some("v2.31"), None));
        }
    }

    #[test]
    fn gitlab_names_the_merge_base_and_no_parent_of_zeros() {
        let push = [
            ("GITLAB_CI", "true"),
            ("CI_COMMIT_SHA", SHA),
            ("CI_COMMIT_BRANCH", "main"),
            ("CI_COMMIT_BEFORE_SHA", ZEROS),
            ("CI_PIPELINE_ID", "7"),
            ("CI_JOB_ID", "70"),
        ];
        let expected = CiRun {
            commit: some(SHA),
            branch: some("main"),
            run: some("7.70"),
            ..CiRun::default()
        };
        assert_eq!(run(&push, Value::Null), expected);
        let merge = [
            ("GITLAB_CI", "true"),
            ("CI_MERGE_REQUEST_IID", "12"),
            ("CI_MERGE_REQUEST_DIFF_BASE_SHA", "abcdef1"),
            ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "faster"),
        ];
        let expected = CiRun {
            parent: some("abcdef1"),
            branch: some("faster"),
            pr: some("12"),
            ..CiRun::default()
        };
        assert_eq!(run(&merge, Value::Null), expected);
    }

    #[test]
    fn jenkins_strips_the_remote_and_tells_changes_from_branches() {
        let push = [
            ("JENKINS_URL", "http://ci"),
            ("GIT_COMMIT", SHA),
            ("GIT_BRANCH", "origin/main"),
            ("JOB_NAME", "shop"),
            ("BUILD_NUMBER", "42"),
            ("GIT_PREVIOUS_COMMIT", "abcdef1"),
        ];
        let expected = CiRun {
            commit: some(SHA),
            parent: some("abcdef1"),
            branch: some("main"),
            run: some("shop#42"),
            ..CiRun::default()
        };
        assert_eq!(run(&push, Value::Null), expected);
        let change = [
            ("JENKINS_URL", "http://ci"),
            ("BRANCH_NAME", "PR-12"),
            ("CHANGE_ID", "12"),
            ("CHANGE_BRANCH", "faster"),
        ];
        let expected = CiRun {
            branch: some("faster"),
            pr: some("12"),
            ..CiRun::default()
        };
        assert_eq!(run(&change, Value::Null), expected);
    }

    #[test]
    fn buildkite_counts_attempts_from_one_and_knows_false_for_no_pull_request() {
        let variables = [
            ("BUILDKITE", "true"),
            ("BUILDKITE_COMMIT", "HEAD"),
            ("BUILDKITE_BRANCH", "main"),
            ("BUILDKITE_PULL_REQUEST", "false"),
            ("BUILDKITE_TAG", ""),
            ("BUILDKITE_PIPELINE_SLUG", "shop"),
            ("BUILDKITE_BUILD_NUMBER", "42"),
            ("BUILDKITE_RETRY_COUNT", "1"),
            ("BUILDKITE_PARALLEL_JOB", "3"),
        ];
        let expected = CiRun {
            branch: some("main"),
            run: some("shop#42.2/3"),
            ..CiRun::default()
        };
        assert_eq!(run(&variables, Value::Null), expected);
    }

    #[test]
    fn outside_of_any_system_nothing_is_known() {
        assert_eq!(run(&[("GITHUB_SHA", SHA)], Value::Null), CiRun::default());
    }
}
