//! Judgements as the service makes them: what comes run by run and what comes at once end in the same findings, and these
//! are what `detect` says of the same series; what would go unseen is told. On both engines.

use std::collections::BTreeMap;

use collectors::report::{Basis, Direction, Source};
use longwatch::blind_spots;
use longwatch::clock::now_us;
use longwatch::detector;
use longwatch::detector::evidence::Evidence;
use longwatch::http::Settings;
use longwatch::stats::judge::Row;
use longwatch::stats::seeded::Seeded;
use longwatch::stats::{self, detections};
use longwatch::store::{Finding, FindingEvent, FindingState, ProjectId, Series, Store, Values};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::forgetting::{DAY_US, commit, fold, series, upload};
use crate::ground::{Server, databases, eventually};
use crate::process;

const RUNS: usize = 140;

/// A series of runs with a step up, a bleed, and a step down in it, each on a testbed of its own.
fn histories() -> Vec<(Series, Vec<f64>)> {
    type Level = fn(usize) -> f64;
    let levels: [(&str, Level); 4] = [
        ("stepped", |i| if i < 60 { 1.0 } else { 1.06 }),
        ("bleeding", |i| {
            1.0 + 0.003 * (i.saturating_sub(50).min(60)) as f64
        }),
        ("mended", |i| if i < 90 { 1.0 } else { 0.9 }),
        ("calm", |_| 1.0),
    ];
    let mut random = Seeded::new(2026);
    levels
        .into_iter()
        .map(|(name, level)| {
            let of_runs = Series {
                basis: Basis::Run,
                testbed: name.to_owned(),
                ..series(name, Source::Bench)
            };
            let value = |i| 1e9 * level(i) * (0.01 * random.normal()).exp();
            (of_runs, (0..RUNS).map(value).collect())
        })
        .collect()
}

fn time_us(run: usize) -> i64 {
    now_us().div_euclid(DAY_US) * DAY_US - (RUNS - run) as i64 * DAY_US
}

/// What a series did: kind, number of the release with which it began, per cent.
type Told = BTreeMap<String, Vec<(String, usize, f64)>>;

async fn told(store: &Store, project: &ProjectId) -> Told {
    let mut told = Told::new();
    for finding in store.findings(project).await.unwrap() {
        let evidence = Evidence::read(&finding.evidence).unwrap();
        let onset = evidence.onset_release.unwrap()[1..].parse().unwrap();
        let effect = evidence.effect_pct.unwrap().value;
        let of_flow = told.entry(finding.flow).or_default();
        of_flow.push((finding.kind, onset, effect));
    }
    told
}

/// Every change of one is one of the other: of its kind, at most a run apart, of its size.
fn assert_alike(some: &Told, others: &Told, engine: &str) {
    let flows = |told: &Told| told.keys().cloned().collect::<Vec<_>>();
    assert_eq!(flows(some), flows(others), "{engine}");
    for (flow, changes) in some {
        let mut left = others[flow].clone();
        for (kind, onset, effect) in changes {
            let same = left.iter().position(|(other, at, size)| {
                other == kind && at.abs_diff(*onset) <= 1 && (size - effect).abs() < 0.2
            });
            let same = same.unwrap_or_else(|| panic!("{engine}: {flow}: {some:?} {others:?}"));
            left.swap_remove(same);
        }
        assert!(left.is_empty(), "{engine}: {flow}: {some:?} {others:?}");
    }
}

async fn judge(store: &Store) {
    let url = "http://localhost";
    detector::round(store, "test", url, false).await.unwrap();
}

#[tokio::test]
async fn runs_one_by_one_and_all_at_once_end_in_the_findings_that_detect_makes() {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        let by_and_by = store.ensure_project("by-and-by", "test", now_us());
        let by_and_by = by_and_by.await.unwrap();
        let at_once = store.ensure_project("at-once", "test", now_us());
        let at_once = at_once.await.unwrap();
        let histories = histories();
        for run in 0..RUNS {
            let release = format!("v{run}");
            for (series, values) in &histories {
                for project in [by_and_by, at_once] {
                    let value = Values::Exact(values[run]);
                    let upload = upload(project, series, &release, time_us(run), value);
                    commit(&store, upload).await;
                }
            }
            fold(&store, &by_and_by, now_us()).await;
            judge(&store).await;
        }
        fold(&store, &at_once, now_us()).await;
        judge(&store).await;

        let (some, others) = (told(&store, &by_and_by).await, told(&store, &at_once).await);
        assert_alike(&some, &others, database.engine);
        let files = histories.iter().map(|(series, values)| {
            let read = detections::Series {
                times_us: (0..RUNS).map(time_us).collect(),
                releases: (0..RUNS).map(|run| format!("v{run}")).collect(),
                values: values.clone(),
                counts: vec![None; RUNS],
                envs: vec![None; RUNS],
                ses: vec![None; RUNS],
                epochs: vec![None; RUNS],
            };
            (series.flow_name.clone(), read)
        });
        let detected = detections::detect(&files.collect(), &BTreeMap::new(), false);
        let as_findings = |found: Vec<detections::Detection>| {
            let kind = |one: &detections::Detection| match one.kind {
                _ if one.effect_pct < 0.0 => "improvement".to_owned(),
                kind => kind.to_owned(),
            };
            let told = found
                .iter()
                .map(|one| (kind(one), one.index, one.effect_pct));
            told.collect::<Vec<_>>()
        };
        let detected: Told = detected
            .into_iter()
            .filter(|(_, found)| !found.is_empty())
            .map(|(name, found)| (name, as_findings(found)))
            .collect();
        assert_alike(&others, &detected, database.engine);
        let kinds: Vec<&str> = some
            .values()
            .flatten()
            .map(|(kind, ..)| &kind[..])
            .collect();
        assert_eq!(
            kinds,
            ["bleed", "improvement", "step"],
            "{}",
            database.engine
        );
        store.close().await;
    }
}

/// Runs of 1 s with a step after the eightieth, as large as it takes for this surplus of evidence.
fn stepped(surplus: std::ops::Range<f64>) -> Vec<f64> {
    let names: Vec<String> = (0..RUNS).map(|run| format!("v{run}")).collect();
    let with = |step: f64| -> Vec<f64> {
        let mut random = Seeded::new(4);
        let level = |run| if run < 80 { 1e9 } else { 1e9 * (1.0 + step) };
        (0..RUNS)
            .map(|run| level(run) * (0.01 * random.normal()).exp())
            .collect()
    };
    let of = |values: &[f64]| {
        let row = |run: usize| Row {
            time_us: time_us(run),
            release: &names[run],
            value: values[run],
            count: None,
            se: None,
        };
        let rows: Vec<Row<'_>> = (0..RUNS).map(row).collect();
        let changes = stats::judge::judge(&rows, &[], &detector::settings(Direction::Lower));
        match &changes[..] {
            [one] => one.surplus,
            _ => f64::NEG_INFINITY,
        }
    };
    (1..100)
        .map(|tenths| with(f64::from(tenths) / 2_000.0))
        .find(|values| surplus.contains(&of(values)))
        .unwrap()
}

#[tokio::test]
async fn the_more_series_a_project_has_the_clearer_a_change_must_be_to_alarm() {
    const MANY: usize = 300;
    let (faint, clear) = (stepped(1.0..4.0), stepped(12.0..30.0));
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        for (slug, others) in [("small", 0), ("large", MANY)] {
            let project = store.ensure_project(slug, "test", now_us());
            let project = project.await.unwrap();
            let on_its_own = |name: String| Series {
                basis: Basis::Run,
                testbed: name.clone(),
                ..series(&name, Source::Bench)
            };
            for other in 0..others {
                let series = on_its_own(format!("other-{other}"));
                let value = Values::Exact(1e9);
                commit(&store, upload(project, &series, "v0", time_us(0), value)).await;
            }
            for (name, values) in [("faint", &faint), ("clear", &clear)] {
                let series = on_its_own(name.to_owned());
                for (run, value) in values.iter().enumerate() {
                    let value = Values::Exact(*value);
                    let release = format!("v{run}");
                    commit(
                        &store,
                        upload(project, &series, &release, time_us(run), value),
                    )
                    .await;
                }
                fold(&store, &project, now_us()).await;
                judge(&store).await;
                let told = told(&store, &project).await;
                let is_told = others == 0 || name == "clear";
                assert_eq!(told.contains_key(name), is_told, "{slug}, {name}: {told:?}");
            }
        }
    }
}

/// A series at 1 s, or at 1.6 s in some of its runs.
struct Raised {
    store: Store,
    project: ProjectId,
    series: Series,
    random: Seeded,
    runs: usize,
}

impl Raised {
    async fn of(store: &Store, slug: &str) -> Raised {
        let project = store.ensure_project(slug, "test", now_us());
        Raised {
            project: project.await.unwrap(),
            store: store.clone(),
            series: Series {
                basis: Basis::Run,
                ..series("raised", Source::Bench)
            },
            random: Seeded::new(8),
            runs: 0,
        }
    }

    /// After further runs that come at once: the kinds of the findings, and whether they are open.
    async fn after(
        &mut self,
        until: usize,
        is_raised: impl Fn(usize) -> bool,
    ) -> Vec<(String, bool)> {
        for run in self.runs..until {
            let level = if is_raised(run) { 1.6e9 } else { 1e9 };
            let value = Values::Exact(level * (0.01 * self.random.normal()).exp());
            let release = format!("v{run}");
            let upload = upload(self.project, &self.series, &release, time_us(run), value);
            commit(&self.store, upload).await;
        }
        self.runs = until;
        self.judged().await
    }

    /// After a person said that the newest so many runs went wrong.
    async fn without_its_newest(&mut self, runs: usize) -> Vec<(String, bool)> {
        self.exclude(time_us(self.runs - runs), Some("a broken machine"))
            .await
    }

    /// After the person took that back.
    async fn with_all_runs(&mut self) -> Vec<(String, bool)> {
        self.exclude(0, None).await
    }

    async fn exclude(&mut self, from_us: i64, why: Option<&str>) -> Vec<(String, bool)> {
        let lease = self.store.lease(&self.project, "fold", "test", now_us());
        let lease = lease.await.unwrap().unwrap();
        for (id, run) in self.store.runs(&self.project).await.unwrap() {
            if run.started_us >= from_us {
                let excluded = self.store.exclude_run(&lease, &id, why, "ada", now_us());
                excluded.await.unwrap();
            }
        }
        self.store.give_back(&lease).await.unwrap();
        self.judged().await
    }

    async fn judged(&mut self) -> Vec<(String, bool)> {
        fold(&self.store, &self.project, now_us()).await;
        judge(&self.store).await;
        let findings = self.store.findings(&self.project).await.unwrap();
        let states = findings
            .into_iter()
            .map(|finding| (finding.kind, finding.state.is_open()));
        states.collect()
    }

    /// As a person does who is done with it.
    async fn close(&self) {
        for finding in self.store.findings(&self.project).await.unwrap() {
            let closed = |finding: &mut Finding| {
                finding.state = FindingState::Resolved;
                FindingEvent {
                    finding: finding.id,
                    at_us: now_us(),
                    actor: "ada".to_owned(),
                    action: "resolve".to_owned(),
                    note: String::new(),
                }
            };
            let changed = self
                .store
                .change_finding(&self.project, &finding.id, closed, now_us());
            changed.await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_many_new_runs_at_once_no_longer_show_is_withdrawn_with_them() {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        let mut raised = Raised::of(&store, "raised").await;
        let is_raised = |run| (60..68).contains(&run);
        let during = raised.after(67, is_raised).await;
        assert_eq!(during, [("step".to_owned(), true)], "{}", database.engine);
        let after = raised.after(RUNS, is_raised).await;
        assert_eq!(after, [("step".to_owned(), false)], "{}", database.engine);
        store.close().await;
    }
}

#[tokio::test]
async fn what_was_withdrawn_and_shows_again_is_open_again_unless_a_person_closed_it() {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        for (slug, is_closed) in [("left", false), ("closed", true)] {
            let mut raised = Raised::of(&store, slug).await;
            let open = vec![("step".to_owned(), true)];
            let closed = vec![("step".to_owned(), false)];
            let found = raised.after(90, |run| run >= 60).await;
            assert_eq!(found, open, "{}", database.engine);
            if is_closed {
                raised.close().await;
            }
            assert_eq!(raised.without_its_newest(30).await, closed, "{slug}");
            let expected = if is_closed { closed } else { open };
            assert_eq!(raised.with_all_runs().await, expected, "{slug}");
        }
        store.close().await;
    }
}

/// A flow's runs as NDJSON for `samples`: one a day, each a release of its own.
async fn push(server: &Server, flow: &str, runs: usize) {
    let mut random = Seeded::new(5);
    for run in RUNS - runs..RUNS {
        let time = jiff::Timestamp::from_microsecond(time_us(run)).unwrap();
        let value = 200.0 * (0.01 * random.normal()).exp();
        let body = json!({"source": "bench", "release": format!("v{run}"), "time": time.to_string(), "run": run.to_string(),
            "measurements": [{"flow": flow, "metric": "wall_time", "unit": "ms", "basis": "run", "value": value}]});
        let sent = server.api(Method::POST, "samples").json(&body).send();
        assert_eq!(sent.await.unwrap().status(), StatusCode::OK);
    }
}

async fn spots(server: &Server, flow: &str) -> Value {
    server.get(&format!("flows/{flow}/blindspots")).await[0].clone()
}

#[tokio::test]
async fn a_flow_tells_how_small_a_change_it_would_miss_once_it_has_enough_history() {
    for database in databases().await {
        let (url, engine) = (database.url.clone(), database.engine);
        let server = Server::start(
            database,
            Settings {
                public_read: true,
                ..Settings::default()
            },
        )
        .await;
        push(&server, "startup", RUNS).await;
        push(&server, "import", 60).await;
        let series = server.get("series?flow=startup").await["items"][0]["id"].clone();
        let points = format!("series/{}/points", series.as_str().unwrap());
        let evidence = eventually("all runs are folded", async || {
            let answer = server.get(&format!("{points}?by=evidence")).await;
            let all = answer["points"].as_array()?.clone();
            (all.len() == RUNS).then_some(all)
        });
        let evidence = evidence.await;
        assert_eq!(
            (&evidence[0]["statistic"], &evidence[0]["runs"]),
            (&json!("median"), &json!(1))
        );
        let refused = server
            .api(Method::GET, &format!("{points}?by=evidence&q=0.5"))
            .send();
        assert_eq!(
            refused.await.unwrap().status(),
            StatusCode::UNPROCESSABLE_ENTITY
        );

        // The service itself may have looked before all was there; days later it looks again.
        let later = now_us() + 3 * DAY_US;
        let looked = blind_spots::round(&server.store, "test", || later).await;
        assert_eq!(looked.unwrap(), 2, "{engine}");
        let known = spots(&server, "startup").await;
        let step = known["blind_spot"]["step_pct"].as_f64().unwrap();
        let bleed = known["blind_spot"]["bleed_pct"].as_f64().unwrap();
        assert!(
            (0.5..3.0).contains(&step) && bleed > step,
            "{engine}: {known}"
        );
        assert_eq!(known["blind_spot"]["releases"], 91);
        assert_eq!(spots(&server, "import").await["blind_spot"], Value::Null);
        let absent = server.api(Method::GET, "flows/nobody/blindspots").send();
        assert_eq!(absent.await.unwrap().status(), StatusCode::NOT_FOUND);
        let page = format!("{}/shop/flows/startup", server.url);
        let page = server
            .client
            .get(page)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        assert!(page.contains("What would be missed here"), "{engine}");

        // For a day nothing is due; after that, what nothing came to stands as it is.
        let soon = blind_spots::round(&server.store, "test", || later + DAY_US / 2).await;
        assert_eq!(soon.unwrap(), 0);
        let rested = blind_spots::round(&server.store, "test", || later + 2 * DAY_US).await;
        assert_eq!(rested.unwrap(), 2);
        let still = spots(&server, "startup").await;
        assert_eq!(still["blind_spot"], known["blind_spot"]);
        assert_ne!(still["found"], known["found"]);

        let home = TempDir::new().unwrap();
        let client = [
            "--url",
            &server.url,
            "--project",
            "shop",
            "--token",
            &server.admin,
        ];
        let asked = |arguments: &[&str]| {
            let all = [arguments, &client].concat();
            let home = home.path().to_owned();
            let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
            tokio::task::spawn_blocking(move || {
                let all: Vec<&str> = all.iter().map(String::as_str).collect();
                let output = process::run(&home, &all);
                assert!(output.status.success(), "{output:?}");
                String::from_utf8(output.stdout).unwrap()
            })
        };
        let lines = asked(&["blindspots"]).await.unwrap();
        assert!(
            lines.contains("steps from") && lines.contains("not known yet"),
            "{lines}"
        );
        let rounds = ["backtest", "--flow", "startup", "--rounds", "2"];
        let sizes = ["--step", "0.1", "--step", "20", "--bleed", "20"];
        let tested = asked(&[&rounds[..], &sizes[..]].concat()).await.unwrap();
        assert!(
            tested.contains("0 of 2 told") && tested.contains("step of 20\u{a0}%   2 of 2 told"),
            "{tested}"
        );

        // The CSV is what `detect` and `backtest` read.
        let csv = server
            .api(Method::GET, &format!("{points}.csv?by=evidence"))
            .send();
        let csv = csv.await.unwrap().text().await.unwrap();
        let read = detections::read(&csv).unwrap();
        assert_eq!((read.values.len(), &read.releases[0][..]), (RUNS, "v0"));
        assert_eq!(read.epochs[0].as_deref(), Some("0"), "{engine} {url}");
        server.stop().await;
    }
}
