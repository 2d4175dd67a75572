//! What gates answer where there is little to go by, or something was agreed: on both engines.

use jiff::{SignedDuration, Timestamp};
use longwatch::stats::seeded::Seeded;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::ground::{Server, each_backend, eventually};

/// A benchmark of 40 ms with a limit, gated; what else the file says follows.
fn configured(limit: &str, confidence: f64, more: &str) -> String {
    format!(
        r#"
[project]
name = "shop"

[[budget]]
id = "render-time"
flow = "render"
source = "bench"
metric = "wall_time"
limit = "{limit}"
enforcement = "verify"

[[gate]]
name = "release"
flows = ["render"]
margin = "5 %"
fresh = "24h"
confidence = {confidence}
{more}"#
    )
}

/// A shop with a benchmark that is run five times a release.
struct Shop {
    server: Server,
    random: Seeded,
}

impl Shop {
    async fn of(server: Server, configuration: &str) -> Shop {
        let (status, answer) = server.apply(configuration).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let random = Seeded::new(404);
        Shop { server, random }
    }

    /// Sends a release's runs, which began so many hours ago.
    async fn measure(&mut self, release: &str, hours_ago: i64, milliseconds: f64, workload: &str) {
        for run in 0..5 {
            let value = milliseconds * (0.01 * self.random.normal()).exp();
            let time = Timestamp::now() - SignedDuration::from_mins(60 * hours_ago - run);
            let report = json!({
                "source": "bench", "release": release, "time": time.to_string(), "run": format!("{release}-{workload}-{run}"),
                "workload": workload, "measurements": [
                    {"flow": "render", "metric": "wall_time", "unit": "ms", "basis": "run", "value": value}],
            });
            let sent = self
                .server
                .api(Method::POST, "samples")
                .json(&report)
                .send();
            assert_eq!(sent.await.unwrap().status(), StatusCode::OK);
        }
    }

    async fn ask(&self, release: &str) -> Value {
        let asked = self
            .server
            .api(Method::POST, "gates/release/verdicts")
            .json(&json!({ "release": release }));
        asked.send().await.unwrap().json().await.unwrap()
    }
}

/// The checks of one rule: their verdicts and reasons.
fn of_rule<'a>(answer: &'a Value, rule: &str) -> Vec<(&'a str, &'a str)> {
    let checks = answer["checks"].as_array().unwrap().iter();
    let text = |value: &'a Value| value.as_str().unwrap();
    checks
        .filter(|check| check["rule"] == rule)
        .map(|check| (text(&check["verdict"]), text(&check["reason"])))
        .collect()
}

#[tokio::test]
async fn what_was_never_measured_is_no_pass() {
    each_backend(async |server| {
        let more = r#"
[[budget]]
id = "search-time"
flow = "render"
source = "load"
metric = "latency"
percentile = 99
limit = "1 s"
enforcement = "verify"
"#;
        let mut shop = Shop::of(server, &configured("60 ms", 0.95, more)).await;
        shop.measure("v1", 30, 40.0, "a").await;
        shop.measure("v2", 2, 40.0, "a").await;
        let answer = shop.ask("v2").await;
        assert_eq!(answer["verdict"], "inconclusive", "{answer}");
        let missing = "nothing has measured latency of render yet";
        let fresh = of_rule(&answer, "freshness");
        assert!(fresh.contains(&("inconclusive", missing)), "{answer}");
        assert_eq!(of_rule(&answer, "budget")[0].0, "pass");
        let page = format!("{}/shop/gates/release", shop.server.url);
        let page = shop.server.client.get(page).bearer_auth(&shop.server.admin);
        assert_eq!(page.send().await.unwrap().status(), StatusCode::OK);
        shop.server
    })
    .await;
}

#[tokio::test]
async fn a_release_that_can_be_compared_with_none_is_no_pass_until_it_can() {
    each_backend(async |server| {
        let mut shop = Shop::of(server, &configured("60 ms", 0.95, "")).await;
        shop.measure("v1", 10, 40.0, "a").await;
        let first = shop.ask("v1").await;
        let expected =
            "v1 is the first release that was measured; there is nothing to compare it with yet";
        assert_eq!(of_rule(&first, "regression"), [("inconclusive", expected)]);
        assert_eq!(first["verdict"], "inconclusive");
        shop.measure("v2", 6, 40.0, "a").await;
        assert_eq!(shop.ask("v2").await["verdict"], "pass");

        // A new workload hides what became slower, so the gate doesn't let it through for that.
        shop.measure("v3", 4, 44.0, "b").await;
        let otherwise = shop.ask("v3").await;
        assert_eq!(otherwise["verdict"], "inconclusive", "{otherwise}");
        let [(verdict, reason)] = of_rule(&otherwise, "regression")[..] else {
            panic!("{otherwise}")
        };
        assert_eq!(verdict, "inconclusive");
        assert!(
            reason.starts_with("v2 was measured in another way than v3"),
            "{reason}"
        );
        shop.measure("v2", 3, 40.0, "b").await;
        let compared = shop.ask("v3").await;
        assert_eq!(compared["verdict"], "fail", "{compared}");
        shop.server
    })
    .await;
}

#[tokio::test]
async fn what_was_spent_is_counted_from_where_it_was_measured_as_now() {
    each_backend(async |server| {
        let pinned = "\n[[reference]]\nflow = \"render\"\nrelease = \"v1\"\n";
        let mut shop = Shop::of(server, &configured("900 ms", 0.95, pinned)).await;
        for (release, hours_ago, milliseconds) in [("v1", 30, 740.0), ("v2", 20, 350.0)] {
            shop.measure(release, hours_ago, milliseconds, "798 decisions")
                .await;
        }
        let spent = async |shop: &Shop, since: &str| {
            eventually("the newest release is in", async || {
                let rows = shop.server.get("flows/render/headroom").await;
                (rows[0]["reference"] == since).then(|| rows[0]["spent"]["value"].as_f64())
            })
            .await
        };
        // A gain of the product is one.
        assert!(spent(&shop, "v1").await.unwrap() < -300.0);
        // Other work is none, nor is what it costs less than the work before.
        shop.measure("v3", 10, 119.0, "802 decisions").await;
        assert_eq!(spent(&shop, "v3").await, Some(0.0));
        shop.measure("v4", 2, 125.0, "802 decisions").await;
        let since_v3 = eventually("v4 is in", async || {
            let spent = spent(&shop, "v3").await?;
            (spent > 0.0).then_some(spent)
        })
        .await;
        assert!((since_v3 - 6.0).abs() < 3.0, "{since_v3}");
        shop.server
    })
    .await;
}

#[tokio::test]
async fn a_waiver_holds_to_its_ceiling_and_to_its_last_day() {
    each_backend(async |server| {
        let waived = |ceiling: &str, days: i64| {
            let until = (Timestamp::now() + SignedDuration::from_hours(24 * days)).to_string();
            let waiver = format!(
                "\n[[waiver]]\nbudget = \"render-time\"\nceiling = \"{ceiling}\"\nuntil = \"{}\"\n\
                 owner = \"render\"\nreason = \"new fonts\"\n",
                &until[..10]
            );
            configured("42 ms", 0.95, &waiver)
        };
        let mut shop = Shop::of(server, &configured("42 ms", 0.95, "")).await;
        shop.measure("v1", 30, 46.0, "a").await;
        shop.measure("v2", 2, 46.0, "a").await;
        assert_eq!(shop.ask("v2").await["verdict"], "fail");
        for (ceiling, days, expected) in [
            ("50 ms", 10, "pass"),
            ("44 ms", 10, "fail"),
            ("50 ms", 0, "pass"),
            ("50 ms", -1, "fail"),
        ] {
            let (status, answer) = shop.server.apply(&waived(ceiling, days)).await;
            assert_eq!(status, StatusCode::OK, "{answer}");
            let answer = shop.ask("v2").await;
            assert_eq!(
                answer["verdict"], expected,
                "{ceiling}, {days} days: {answer}"
            );
            let used = answer["waivers"].as_array().unwrap().len();
            assert_eq!(used, usize::from(days >= 0), "{answer}");
        }
        shop.server
    })
    .await;
}

#[tokio::test]
async fn budgets_share_the_confidence_of_their_gate() {
    each_backend(async |server| {
        let mut shop = Shop::of(server, &configured("60 ms", 0.9, "")).await;
        shop.measure("v1", 30, 40.0, "a").await;
        shop.measure("v2", 2, 40.0, "a").await;
        let width = |answer: &Value| {
            let checks = answer["checks"].as_array().unwrap();
            let of_budget = checks
                .iter()
                .find(|check| check["rule"] == "budget")
                .unwrap();
            let end = |end: &str| of_budget["candidate"][end].as_f64().unwrap();
            end("upper") - end("lower")
        };
        let loose = width(&shop.ask("v2").await);
        shop.server.apply(&configured("60 ms", 0.999, "")).await;
        let strict = width(&shop.ask("v2").await);
        assert!(strict > 1.5 * loose, "{strict} {loose}");
        // A limit within the wider range is not settled, and it is said what would settle it.
        let near = configured("40.6 ms", 0.999, "");
        shop.server.apply(&near).await;
        let answer = shop.ask("v2").await;
        let checks = answer["checks"].as_array().unwrap();
        let of_budget = checks
            .iter()
            .find(|check| check["rule"] == "budget")
            .unwrap();
        assert_eq!(of_budget["verdict"], "inconclusive", "{answer}");
        assert!(of_budget["needs"]["runs"].as_u64().unwrap() > 0, "{answer}");
        shop.server
    })
    .await;
}

#[tokio::test]
async fn a_waived_breach_is_told_once_its_waiver_covers_it_no_more() {
    each_backend(async |server| {
        let owned = |waiver: &str| {
            let more = format!(
                "\n[[flow]]\nname = \"render\"\nowner = \"graphics\"\n\n[[owner]]\nname = \"graphics\"\n\
                 routes = [\"hook\"]\n\n[[route]]\nname = \"hook\"\nkind = \"webhook\"\n\
                 url_env = \"LONGWATCH_ROUTE_UNSET\"\n{waiver}"
            );
            configured("42 ms", 0.95, &more)
        };
        let until = (Timestamp::now() + SignedDuration::from_hours(240)).to_string();
        let waived = owned(&format!(
            "\n[[waiver]]\nbudget = \"render-time\"\nceiling = \"50 ms\"\nuntil = \"{}\"\nowner = \"graphics\"\n\
             reason = \"new fonts\"\n",
            &until[..10]
        ));
        let mut shop = Shop::of(server, &waived).await;
        let told = async |shop: &Shop| {
            let findings = shop.server.get("findings").await;
            let breach = findings["items"].as_array().unwrap().iter();
            let breach = breach.clone().find(|finding| finding["kind"] == "breach")?;
            let path = format!("findings/{}", breach["id"].as_str().unwrap());
            let whole = shop.server.get(&path).await;
            Some(whole["deliveries"].as_array().unwrap().len())
        };
        shop.measure("v1", 8, 46.0, "a").await;
        let first = eventually("the breach", async || told(&shop).await).await;
        assert_eq!(first, 0, "a breach under its ceiling was told");
        shop.measure("v2", 4, 60.0, "a").await;
        let many = eventually("the alert above the ceiling", async || {
            told(&shop).await.filter(|told| *told > 0)
        });
        assert_eq!(many.await, 1);
        shop.server
    })
    .await;
}
