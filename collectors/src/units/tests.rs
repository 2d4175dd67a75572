#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn base(native: f64, text: &str, source: Source) -> (u64, Dimension) {
    let unit = unit(text, "m", source);
    (unit.to_base(native).unwrap(), unit.dimension)
}

#[test]
fn bench_time_rests_in_picoseconds_and_other_time_in_nanoseconds() {
    assert_eq!(base(0.22, "ns", Source::Bench), (220, Dimension::TimePs));
    assert_eq!(base(0.22, "ns", Source::Load), (0, Dimension::TimeNs));
    assert_eq!(
        base(1.5, "s", Source::Bench),
        (1_500_000_000_000, Dimension::TimePs)
    );
    assert_eq!(
        base(12.5, "ms", Source::Rum),
        (12_500_000, Dimension::TimeNs)
    );
    assert_eq!(base(2_500.0, "ps", Source::Load), (2, Dimension::TimeNs));
    assert_eq!(
        base(2.0, "min", Source::Load),
        (120_000_000_000, Dimension::TimeNs)
    );
    assert_eq!(
        base(604.1, "ns/op", Source::Bench),
        (604_100, Dimension::TimePs)
    );
}

#[test]
fn both_code_points_of_micro_are_microseconds() {
    assert_eq!(
        base(3.0, "\u{b5}s", Source::Load),
        (3_000, Dimension::TimeNs)
    );
    assert_eq!(
        base(3.0, "\u{3bc}s", Source::Load),
        (3_000, Dimension::TimeNs)
    );
    assert_eq!(base(3.0, "us", Source::Load), (3_000, Dimension::TimeNs));
}

#[test]
fn suffixes_of_bytes_are_read_exactly() {
    assert_eq!(
        base(2.0, "MB", Source::Bench),
        (2_000_000, Dimension::Bytes)
    );
    assert_eq!(
        base(2.0, "MiB", Source::Bench),
        (2_097_152, Dimension::Bytes)
    );
    assert_eq!(base(48.0, "B/op", Source::Bench), (48, Dimension::Bytes));
    assert_eq!(
        base(105.95, "MB/s", Source::Bench),
        (105_950_000_000, Dimension::MilliPerS)
    );
    assert_eq!(
        base(31_057_479.0, "items/s", Source::Bench),
        (31_057_479_000, Dimension::MilliPerS)
    );
}

#[test]
fn whole_things_are_counts_and_averages_of_them_are_not() {
    assert_eq!(
        base(7.0, "instructions", Source::Bench),
        (7, Dimension::Count)
    );
    assert_eq!(
        base(0.25, "allocs/op", Source::Bench),
        (250_000, Dimension::Ppm)
    );
    assert_eq!(
        base(0.25, "p99-ms", Source::Bench),
        (250_000, Dimension::Ppm)
    );
    assert_eq!(base(0.0, "", Source::Rum), (0, Dimension::Ppm));
    assert_eq!(base(12.5, "%", Source::Load), (125_000, Dimension::Ppm));
}

#[test]
fn a_missing_unit_is_settled_by_the_end_of_the_metrics_name() {
    let of = |metric| unit("", metric, Source::Telemetry).dimension;
    assert_eq!(of("http_request_duration_seconds"), Dimension::TimeNs);
    assert_eq!(of("process_cpu_seconds_total"), Dimension::TimeNs);
    assert_eq!(of("response_size_bytes"), Dimension::Bytes);
    assert_eq!(of("seconds"), Dimension::Ppm);
}

#[test]
fn a_missing_unit_is_settled_by_a_metric_that_is_known() {
    assert_eq!(
        unit("?", "http_req_waiting", Source::Load).dimension,
        Dimension::TimeNs
    );
    assert_eq!(unit("", "LCP", Source::Rum).to_base(2.0), Ok(2_000_000));
    assert_eq!(unit("", "CLS", Source::Rum).to_base(0.1), Ok(100_000));
    assert_eq!(
        unit("?", "http_req_failed", Source::Load).dimension,
        Dimension::Ppm
    );
}

#[test]
fn rounding_is_the_standard_librarys() {
    let near = [
        0.0,
        0.5,
        1.5,
        2.5,
        0.49999999999999994,
        4503599627370495.5,
        4503599627370496.0,
        1e300,
    ];
    for value in near
        .into_iter()
        .chain((0..10_000).map(|i| f64::from(i) * 0.37))
    {
        assert_eq!(round_half_even(value), value.round_ties_even(), "{value}");
    }
}

#[test]
fn rounding_is_half_to_even_and_nothing_is_clamped() {
    let bytes = unit("B", "m", Source::Load);
    assert_eq!(
        (bytes.to_base(0.5), bytes.to_base(1.5), bytes.to_base(2.5)),
        (Ok(0), Ok(2), Ok(2))
    );
    assert_eq!(bytes.to_base(-1.0), Err(Unstorable::Negative));
    assert_eq!(bytes.to_base(f64::NAN), Err(Unstorable::NotFinite));
    assert_eq!(bytes.to_base(f64::INFINITY), Err(Unstorable::NotFinite));
    assert_eq!(bytes.to_base(1e19), Err(Unstorable::TooLarge));
}

#[test]
fn what_went_to_base_units_comes_back() {
    for text in [
        "ps", "ns", "us", "ms", "s", "h", "B", "KiB", "count", "1", "%", "1/s", "MB/s",
    ] {
        for source in [Source::Bench, Source::Rum] {
            let unit = unit(text, "m", source);
            let native = unit.to_native(unit.to_base_exactly(1234.5));
            assert!((native - 1234.5).abs() < 1e-9, "{text}: {native}");
        }
    }
}

#[test]
fn dimensions_have_stable_names() {
    for dimension in Dimension::ALL {
        assert_eq!(dimension.name().parse::<Dimension>().unwrap(), dimension);
        assert_eq!(serde_json::to_value(dimension).unwrap(), dimension.name());
    }
    assert!("seconds".parse::<Dimension>().is_err());
}
