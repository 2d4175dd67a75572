//! People who change phones are no regression: changes of field data that only the visitors made, and those that the pages
//! made for some of them. On both engines.

use collectors::report::Source;
use longwatch::clock::now_us;
use longwatch::detector;
use longwatch::detector::evidence::Evidence;
use longwatch::stats::seeded::Seeded;
use longwatch::store::{Finding, FindingState, ProjectId, Series, Store, Stratum, Values};

use crate::forgetting::{DAY_US, commit, fold, series, upload};
use crate::ground::databases;

const DAYS: usize = 80;
/// The day on which something changes.
const CHANGE: usize = 55;
/// Page views of a day.
const VIEWS: usize = 600;

fn day_us(day: usize) -> i64 {
    now_us().div_euclid(DAY_US) * DAY_US - (DAYS - day) as i64 * DAY_US + DAY_US / 2
}

fn stratum(device: &str) -> Stratum {
    Stratum {
        device: device.to_owned(),
        country: "unknown".to_owned(),
        navigation: "navigate".to_owned(),
        ..Stratum::whole()
    }
}

/// A day's page views of a class of visitors, in milliseconds about a median; days differ by one per cent.
fn views(random: &mut Seeded, count: usize, median_ms: f64) -> Vec<u64> {
    let day = median_ms * (0.01 * random.normal()).exp();
    (0..count)
        .map(|_| (1e6 * day * (0.3 * random.normal()).exp()) as u64)
        .collect()
}

/// What a day is like: the share of phones, and how long pages take on phones and on desktops.
type Day = fn(usize) -> (f64, f64, f64);

async fn findings(store: &Store, slug: &str, day: Day) -> Vec<(Finding, Evidence)> {
    let project = store.ensure_project(slug, "test", now_us()).await.unwrap();
    let visits = series("visits", Source::Rum);
    let mut random = Seeded::new(12);
    for number in 0..DAYS {
        let (phones, on_phones, on_desktops) = day(number);
        let of_phones = (phones * VIEWS as f64) as usize;
        let classes = [
            ("mobile", of_phones, on_phones),
            ("desktop", VIEWS - of_phones, on_desktops),
        ];
        for (device, count, median_ms) in classes {
            let values = views(&mut random, count, median_ms);
            store_views(store, project, &visits, number, device, values).await;
        }
    }
    fold(store, &project, now_us()).await;
    judge(store).await;
    let found = store.findings(&project).await.unwrap();
    let read = |finding: Finding| {
        let evidence = Evidence::read(&finding.evidence).unwrap();
        (finding, evidence)
    };
    found.into_iter().map(read).collect()
}

async fn store_views(
    store: &Store,
    project: ProjectId,
    visits: &Series,
    number: usize,
    device: &str,
    values: Vec<u64>,
) {
    let release = format!("v{}", number / 5);
    let mut one = upload(
        project,
        visits,
        &release,
        day_us(number),
        Values::Raw(values),
    );
    for delta in &mut one.deltas {
        let mut origin = (*delta.origin).clone();
        origin.stratum = stratum(device);
        delta.origin = origin.into();
    }
    commit(store, one).await;
}

async fn judge(store: &Store) {
    let url = "http://localhost";
    detector::round(store, "test", url, false).await.unwrap();
}

#[tokio::test]
async fn other_visitors_are_told_as_that_and_alert_nobody() {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        let shift: Day = |day| (if day < CHANGE { 0.3 } else { 0.7 }, 3_000.0, 1_500.0);
        let found = findings(&store, "shift", shift).await;
        let [(finding, evidence)] = &found[..] else {
            panic!("{}: {found:#?}", database.engine)
        };
        assert_eq!(finding.kind, "mix", "{evidence:#?}");
        assert_eq!(finding.state, FindingState::Resolved);
        assert_eq!(finding.told_pct, None);
        let observed = evidence.effect_pct.unwrap().value;
        let same = evidence.same_visitors.as_ref().unwrap();
        assert!(observed > 10.0, "{observed}");
        assert!(same.effect_pct.value.abs() < 2.0, "{same:?}");
        assert!(
            evidence.sentence.contains("other visitors since")
                && evidence
                    .sentence
                    .contains("mobile, navigate 30\u{a0}% → 70\u{a0}%"),
            "{}",
            evidence.sentence
        );
        // Judged again with more of the same, it stays what it is.
        let project = finding_project(&store, "shift").await;
        let visits = series("visits", Source::Rum);
        let mut random = Seeded::new(13);
        for device in ["mobile", "desktop"] {
            let median_ms = if device == "mobile" { 3_000.0 } else { 1_500.0 };
            let values = views(&mut random, VIEWS / 2, median_ms);
            store_views(&store, project, &visits, DAYS - 1, device, values).await;
        }
        fold(&store, &project, now_us()).await;
        judge(&store).await;
        let again = store.findings(&project).await.unwrap();
        assert_eq!(again.len(), 1, "{}: {again:#?}", database.engine);
        assert_eq!((again[0].id, again[0].kind.as_str()), (finding.id, "mix"));
    }
}

async fn finding_project(store: &Store, slug: &str) -> ProjectId {
    store.ensure_project(slug, "test", now_us()).await.unwrap()
}

#[tokio::test]
async fn a_regression_of_one_class_is_found_and_the_class_is_named() {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        let slower: Day = |day| (0.5, if day < CHANGE { 3_000.0 } else { 3_400.0 }, 1_500.0);
        let found = findings(&store, "slower", slower).await;
        let [(finding, evidence)] = &found[..] else {
            panic!("{}: {found:#?}", database.engine)
        };
        assert_eq!(
            (finding.kind.as_str(), finding.state),
            ("step", FindingState::Open)
        );
        let same = evidence.same_visitors.as_ref().unwrap();
        assert!((same.effect_pct.value - 13.0).abs() < 4.0, "{same:?}");
        assert_eq!(same.classes, ["mobile, navigate"]);
        assert!(
            evidence
                .sentence
                .ends_with("; only mobile, navigate shows it"),
            "{}",
            evidence.sentence
        );
    }
}

#[tokio::test]
async fn pages_that_got_slower_while_the_visitors_changed_are_told_all_the_same() {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        let both: Day = |day| {
            if day < CHANGE {
                (0.3, 3_000.0, 1_500.0)
            } else {
                (0.7, 3_600.0, 1_800.0)
            }
        };
        let found = findings(&store, "both", both).await;
        let [(finding, evidence)] = &found[..] else {
            panic!("{}: {found:#?}", database.engine)
        };
        assert_eq!(
            (finding.kind.as_str(), finding.state),
            ("step", FindingState::Open)
        );
        let same = evidence.same_visitors.as_ref().unwrap();
        assert!((same.effect_pct.value - 20.0).abs() < 4.0, "{same:?}");
        assert!(evidence.effect_pct.unwrap().value > same.effect_pct.value + 5.0);
    }
}
