//! The gates of a shop that ends now, asked by the real client.

use serde_json::Value;

use super::Shop;
use crate::process::command;

impl Shop {
    /// Asks a gate with the command line: its exit code and the verdict.
    fn gate(&self, gate: &str, release: &str) -> (i32, Value) {
        let arguments = ["gate", gate, "--release", release, "--output", "json"];
        let output = command(self.home.path(), &arguments)
            .env("LONGWATCH_URL", &self.server.url)
            .env("LONGWATCH_TOKEN", &self.ci)
            .env("LONGWATCH_PROJECT", "shop")
            .output()
            .unwrap();
        let verdict = serde_json::from_slice(&output.stdout);
        (
            output.status.code().unwrap(),
            verdict.unwrap_or_else(|error| panic!("{error}: {output:?}")),
        )
    }
}

/// A check's reason, with plain spaces.
fn reason(check: &Value) -> String {
    check["reason"].as_str().unwrap().replace('\u{a0}', " ")
}

/// The checks with this verdict.
fn checks<'a>(verdict: &'a Value, word: &str) -> Vec<&'a Value> {
    let checks = verdict["checks"].as_array().unwrap();
    checks
        .iter()
        .filter(|check| check["verdict"] == word)
        .collect()
}

#[tokio::test]
async fn of_three_releases_of_a_day_one_passes_one_is_open_and_one_fails() {
    let shop = Shop::now();
    let (code, passed) = shop.gate("release", "v2.36");
    assert_eq!(
        (code, &passed["verdict"]),
        (0, &Value::from("pass")),
        "{passed:#}"
    );
    assert_eq!(
        checks(&passed, "pass").len(),
        passed["checks"].as_array().unwrap().len()
    );

    let (code, open) = shop.gate("release", "v2.37");
    assert_eq!(
        (code, &open["verdict"]),
        (3, &Value::from("inconclusive")),
        "{open:#}"
    );
    assert!(checks(&open, "fail").is_empty());
    let unsettled = checks(&open, "inconclusive");
    assert!(!unsettled.is_empty());
    for check in unsettled {
        let reason = reason(check);
        assert_eq!(check["flow"], "Login");
        assert!(reason.contains("no run of v2.37"), "{reason}");
    }

    let (code, failed) = shop.gate("release", "v2.38");
    assert_eq!(
        (code, &failed["verdict"]),
        (1, &Value::from("fail")),
        "{failed:#}"
    );
    let failures = checks(&failed, "fail");
    assert!(!failures.is_empty());
    for check in failures {
        let (reason, change) = (reason(check), &check["change_pct"]);
        assert_eq!(
            (&check["flow"], &check["rule"]),
            (&"Parse import".into(), &"regression".into())
        );
        assert!(
            (3.5..5.5).contains(&change["value"].as_f64().unwrap()),
            "{change}"
        );
        assert!(change["lower"].as_f64().unwrap() > 2.0, "{change}");
        assert!(reason.contains("beyond the allowed 2 %"), "{reason}");
    }

    for (release, first) in [("v2.36", passed), ("v2.37", open), ("v2.38", failed)] {
        let (_, again) = shop.gate("release", release);
        assert_eq!(again["id"], first["id"], "asking again is no new look");
        let id = first["id"].as_str().unwrap();
        let stored = shop.get(&format!("gates/release/verdicts/{id}")).await;
        assert_eq!(stored["checks"], first["checks"]);
    }
}

#[tokio::test]
async fn a_past_release_is_asked_about_as_of_its_own_time() {
    let shop = Shop::now();
    // v2.35 was followed eight days later; its own runs came with it.
    let (_, verdict) = shop.gate("release", "v2.35");
    let all = verdict["checks"].as_array().unwrap();
    let freshness: Vec<&Value> = all
        .iter()
        .filter(|check| check["rule"] == "freshness")
        .collect();
    assert_eq!(freshness.len(), 3, "{all:#?}");
    assert!(
        freshness.iter().all(|check| check["verdict"] == "pass"),
        "{freshness:#?}"
    );
}

#[tokio::test]
async fn a_flow_without_fresh_data_never_passes() {
    let shop = Shop::now();
    let (code, verdict) = shop.gate("field", "v2.36");
    assert_ne!(code, 0, "{verdict:#}");
    let all = verdict["checks"].as_array().unwrap();
    let of_search: Vec<&Value> = all
        .iter()
        .filter(|check| check["flow"] == "Search")
        .collect();
    let freshness: Vec<&&Value> = of_search
        .iter()
        .filter(|check| check["rule"] == "freshness")
        .collect();
    assert_eq!(freshness.len(), 1, "{of_search:#?}");
    let reason = reason(freshness[0]);
    // Nine days before now, less what is left of the day that the last of them fell into, and less the hours since
    // v2.36 came: its evidence is as old as it was then.
    let silent =
        ["7", "8", "9"].map(|days| format!("no data for {days} days; allowed is 24 hours"));
    assert!(
        silent.iter().any(|silent| reason.contains(silent)),
        "{reason}"
    );
    assert!(
        of_search.iter().all(|check| check["verdict"] != "pass"),
        "{of_search:#?}"
    );

    let missing = shop.findings("flow=Search&state=active").await;
    assert_eq!(missing.len(), 1, "{missing:#?}");
    assert_eq!(
        (&missing[0]["kind"], &missing[0]["state"]),
        (&"missing".into(), &"open".into())
    );
    let sentence = missing[0]["evidence"]["sentence"].as_str().unwrap();
    assert!(
        sentence.contains("Search sends no field data"),
        "{sentence}"
    );
    let silent = shop.findings("kind=missing").await;
    assert_eq!(
        silent.len(),
        1,
        "nothing else is called silent: {silent:#?}"
    );
}
