#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn seconds(value: f64, h: f64) -> Quantity {
    Quantity::new(
        value * 1e9,
        (value - h) * 1e9,
        (value + h) * 1e9,
        Unit::Nanoseconds,
    )
}

fn point(day: i64, value: f64) -> TrendPoint {
    TrendPoint {
        at_us: day * DAY_US,
        value: Some(seconds(value, 0.03)),
        is_provisional: false,
    }
}

fn trend(points: Vec<TrendPoint>) -> Trend {
    Trend {
        id: "t".into(),
        title: "P75 rose".into(),
        unit: Unit::Nanoseconds,
        from_us: 0,
        until_us: 60 * DAY_US,
        main: TrendPanel {
            name: "P75".into(),
            points,
            limits: vec![],
            ceiling: None,
            now: None,
        },
        high: None,
        releases: (0..60)
            .map(|day| (day * DAY_US, format!("v2.{day}")))
            .collect(),
        epochs: vec![],
        gaps: vec![],
        bleed: None,
        forecast: None,
        steps: vec![],
    }
}

fn month() -> Vec<TrendPoint> {
    (0..30)
        .map(|day| point(day * 2, 2.0 + day as f64 * 0.01))
        .collect()
}

fn count(svg: &Svg, what: &str) -> usize {
    svg.as_str().matches(what).count()
}

fn lines(trend: &Trend) -> usize {
    // The line of the main percentile: nine grid steps wide.
    count(
        &trend.draw_in(Room::Wide),
        "stroke=\"#1763B0\" stroke-width=\"9\"",
    )
}

#[test]
fn nothing_bridges_a_gap_an_epoch_or_a_refused_point() {
    assert_eq!(lines(&trend(month())), 1);
    assert_eq!(
        lines(&Trend {
            gaps: vec![(20 * DAY_US, 26 * DAY_US)],
            ..trend(month())
        }),
        2
    );
    let epoch = EpochMark {
        at_us: 31 * DAY_US,
        reason: "browser 149 to 152".into(),
    };
    assert_eq!(
        lines(&Trend {
            epochs: vec![epoch],
            ..trend(month())
        }),
        2
    );
    let mut refused = month();
    refused[10].value = None;
    assert_eq!(lines(&trend(refused)), 2);
}

#[test]
fn an_open_window_is_a_hollow_point() {
    let mut open = month();
    let hollow = |points: Vec<TrendPoint>| {
        count(
            &trend(points).draw_in(Room::Wide),
            "fill=\"none\" stroke=\"#1763B0\" stroke-width=\"8\"",
        )
    };
    assert_eq!(hollow(open.clone()), 0);
    open[29].is_provisional = true;
    assert_eq!(hollow(open), 1);
}

#[test]
fn a_limit_out_of_reach_is_an_arrow_with_its_value() {
    let with_limit = |limit: f64| {
        let mut trend = trend(month());
        trend.main.limits = vec![LimitFrom {
            from_us: 0,
            limit: limit * 1e9,
        }];
        trend.draw_in(Room::Wide)
    };
    let dashes = |svg: &Svg| count(svg, "stroke=\"#1B1D23\"");
    assert!(dashes(&with_limit(2.4)) > 20);
    assert_eq!(dashes(&with_limit(9.0)), 0);
    assert!(with_limit(9.0).as_str().contains("budget 9.00\u{a0}s"));
}

#[test]
fn more_than_120_points_have_no_dots_and_the_drawing_stays_small() {
    let many = |n: i64| -> Vec<TrendPoint> {
        (0..n)
            .map(|k| TrendPoint {
                at_us: k * 60 * DAY_US / n,
                ..point(0, 2.0 + (k % 7) as f64 * 0.02)
            })
            .collect()
    };
    let mut dense = trend(many(5_000));
    dense.high = Some(TrendPanel {
        name: "P99".into(),
        points: many(5_000),
        limits: vec![],
        ceiling: None,
        now: None,
    });
    let svg = dense.draw_in(Room::Wide);
    assert!(svg.as_str().len() <= 60_000, "{} bytes", svg.as_str().len());
    assert_eq!(count(&svg, "<circle"), 0);
    assert!(count(&trend(many(100)).draw_in(Room::Wide), "<circle") >= 100);
}

#[test]
fn the_screen_reader_hears_sentence_values_and_events() {
    let step = StepMark {
        at_us: 10 * DAY_US,
        release: "v2.10".into(),
        change: Quantity::percent(8.6, 8.0, 9.2),
        is_worse: Some(true),
    };
    let svg = Trend {
        steps: vec![step],
        ..trend(month())
    }
    .draw_in(Room::Wide);
    let description = svg
        .as_str()
        .split("<desc")
        .nth(1)
        .unwrap()
        .split("</desc>")
        .next()
        .unwrap();
    for said in ["P75 rose", "first P75 2.00", "last P75 2.29", "v2.10 +8.6"] {
        assert!(description.contains(said), "{said} in {description}");
    }
}

#[test]
fn an_open_bleed_has_wedge_onset_and_forecast() {
    let bleed = BleedMark {
        onset_us: 20 * DAY_US,
        onset_release: "v2.20".into(),
        one_of: Some(((16 * DAY_US, "v2.16".into()), (24 * DAY_US, "v2.24".into()))),
        base: 2.1e9,
        end_us: 58 * DAY_US,
        end: 2.29e9,
        total: seconds(0.19, 0.03),
    };
    let forecast = Forecast {
        at_us: 120 * DAY_US,
        value: seconds(2.6, 0.1),
    };
    let svg = Trend {
        bleed: Some(bleed),
        forecast: Some(forecast),
        ..trend(month())
    }
    .draw_in(Room::Wide);
    for said in [
        "bleed starts at v2.20",
        "or one of v2.16 to v2.24",
        "forecast",
        "+190\u{a0}ms",
    ] {
        assert!(svg.as_str().contains(said), "{said}");
    }
}

#[test]
fn a_trend_without_points_is_drawn_all_the_same() {
    assert!(count(&trend(vec![]).draw(), "<svg") == 2);
}
