//! The story of the field.

use super::*;

/// P75 of all page views of a release from one kind of device, whichever way they came.
fn field_p75(release: &str, flow: &str, metric: &str, on: &str) -> f64 {
    p75(observations(release, flow, metric)
        .into_iter()
        .filter(|(_, o)| device(o) == on)
        .flat_map(|(_, o)| values(o))
        .collect())
}

#[test]
fn the_checkout_got_a_step_with_v2_7_and_lost_it_with_v2_12() {
    let at = |release| field_p75(release, "/checkout", "lcp", "mobile");
    let up = at("v2.7") / at("v2.6") - 1.0;
    let down = at("v2.12") / at("v2.11") - 1.0;
    assert!((0.06..0.11).contains(&up), "{up}");
    assert!((-0.15..-0.11).contains(&down), "{down}");
    assert!(at("v2.7") > 2_500.0, "over the budget, {}", at("v2.7"));
}

#[test]
fn the_checkout_bleeds_on_phones_over_sixteen_releases_and_not_on_desktops() {
    let mobile = |release: &str| field_p75(release, "/checkout", "lcp", "mobile");
    let total = mobile("v2.35") / mobile("v2.22") - 1.0;
    assert!((0.06..0.11).contains(&total), "{total}");
    assert!(mobile("v2.35") < 2_500.0, "still within the budget");
    for release in 23..=35 {
        let (before, after) = (format!("v2.{}", release - 1), format!("v2.{release}"));
        let step = mobile(&after) / mobile(&before) - 1.0;
        assert!(step < 0.04, "{after}: {step}");
    }
    let desktop = |release| field_p75(release, "/checkout", "lcp", "desktop");
    let change = desktop("v2.35") / desktop("v2.22") - 1.0;
    assert!(change.abs() < 0.045, "{change}");
}

#[test]
fn the_product_page_bled_until_v2_9_stopped_it() {
    let at = |release| field_p75(release, "/product/:id", "lcp", "mobile");
    let bled = at("v2.8") / at("v2.0") - 1.0;
    let stopped = at("v2.9") / at("v2.8") - 1.0;
    assert!(bled > 0.03, "{bled}");
    assert!(stopped < -0.04, "{stopped}");
}

#[test]
fn the_search_is_silent_for_nine_days_while_others_arrive() {
    let last = |flow: &str| {
        let with = REPORTS
            .iter()
            .filter(|r| r.observations.iter().any(|o| o.flow == flow));
        NOW_US - with.map(|r| r.context.time_us.unwrap()).max().unwrap()
    };
    assert!((9 * DAY_US..10 * DAY_US).contains(&last("/search")));
    assert!(last("/checkout") < HOUR_US);
    assert!(last("/product/:id") < HOUR_US);
}

#[test]
fn a_new_beacon_is_declared_as_an_epoch_of_each_flow_in_the_field() {
    let shop = Shop::new(SEED, NOW_US);
    let epochs: Vec<Epoch> = shop
        .arrivals()
        .filter_map(|arrival| match arrival {
            Arrival::Epoch(epoch) => Some(epoch),
            _ => None,
        })
        .collect();
    let config = crate::config::Config::parse(&shop.config()).unwrap();
    assert_eq!(epochs.len(), 3);
    assert!(epochs.iter().all(|epoch| config.declares_flow(epoch.flow)));
    let change = field_p75("v2.16", "/product/:id", "lcp", "mobile")
        / field_p75("v2.15", "/product/:id", "lcp", "mobile");
    assert!(change < 1.0, "{change}");
    let first = REPORTS
        .iter()
        .find(|r| r.context.harness.as_deref() == Some("web-vitals 6"));
    assert!(first.unwrap().observations[0].time_us.unwrap() > epochs[0].time_us);
}

#[test]
fn traffic_has_a_week() {
    let mut by_weekday = [0_usize; 7];
    for report in REPORTS
        .iter()
        .filter(|r| r.context.source == Some(Source::Rum))
    {
        let day = report.context.time_us.unwrap().div_euclid(DAY_US);
        by_weekday[(day + 4).rem_euclid(7) as usize] += size(report).0;
    }
    assert!(
        by_weekday[0] < by_weekday[2] * 9 / 10,
        "Sunday {by_weekday:?} Tuesday"
    );
}
#[test]
fn one_wild_day_leaves_the_others_alone() {
    let day_p75 = |days_ago: i64| {
        let day = NOW_US.div_euclid(DAY_US) - days_ago;
        let of_day = REPORTS
            .iter()
            .filter(|r| r.context.time_us.unwrap().div_euclid(DAY_US) == day);
        let product = of_day
            .flat_map(|r| &r.observations)
            .filter(|o| o.flow == "/product/:id");
        p75(product
            .filter(|o| device(o) == "mobile")
            .flat_map(values)
            .collect())
    };
    let around = day_p75(story::WILD_DAY + 1).max(day_p75(story::WILD_DAY - 1));
    assert!(day_p75(story::WILD_DAY) > around * 1.06);
}
