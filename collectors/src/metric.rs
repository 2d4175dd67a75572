//! Names of metrics: the same for the same thing, whatever the tool calls it.

use crate::Format;

/// The service's name of a tool's metric: snake_case, the same for the same thing whatever the tool.
pub fn metric_name(format: Format, native: &str) -> String {
    match (format, native) {
        (_, "ns/op" | "sec/op" | "s/op" | "ms/op" | "us/op") => "time".into(),
        (_, "B/op" | "bytes/op") => "allocated_bytes".into(),
        (_, "allocs/op") => "allocations".into(),
        (_, "MB/s" | "B/s") => "throughput".into(),
        // `http_req_duration{phase:spike}`: the tag is a label.
        (Format::K6, _) => snake_case(native.split('{').next().unwrap_or(native)),
        // boomerang's plugins measure what web-vitals does.
        (Format::Boomerang, "pt.fcp") => "fcp".into(),
        (Format::Boomerang, "pt.lcp") => "lcp".into(),
        (Format::Boomerang, "c.cls") => "cls".into(),
        (Format::Boomerang, "et.fid" | "c.fid") => "fid".into(),
        (Format::Boomerang, "et.inp" | "c.inp") => "inp".into(),
        // The rows of its table stand for what its tasks call latency.
        (Format::Tinybench, "table") => "latency".into(),
        (Format::Lighthouse, "first-contentful-paint") => "fcp".into(),
        (Format::Lighthouse, "largest-contentful-paint") => "lcp".into(),
        (Format::Lighthouse, "cumulative-layout-shift") => "cls".into(),
        (Format::Lighthouse, "interaction-to-next-paint") => "inp".into(),
        (Format::Har, "pageTimings") => "page_load".into(),
        (Format::Browsertime, "googleWebVitals.largestContentfulPaint") => "lcp".into(),
        (Format::Browsertime, "googleWebVitals.firstContentfulPaint") => "fcp".into(),
        (Format::Browsertime, "googleWebVitals.cumulativeLayoutShift") => "cls".into(),
        _ => snake_case(native),
    }
}

/// Lower case, words joined by `_`, nothing but letters, digits and `_`; `/s` at the end reads `_per_second`.
fn snake_case(native: &str) -> String {
    let spelled = match native.strip_suffix("/s") {
        Some(of) => format!("{of}_per_second"),
        None => native.to_owned(),
    };
    let mut name = String::with_capacity(spelled.len() + 4);
    let mut previous_lower = false;
    for c in spelled.chars() {
        if !c.is_alphanumeric() {
            if !name.is_empty() && !name.ends_with('_') {
                name.push('_');
            }
            previous_lower = false;
            continue;
        }
        if c.is_uppercase() && previous_lower {
            name.push('_');
        }
        previous_lower = c.is_lowercase() || c.is_numeric();
        name.extend(c.to_lowercase());
    }
    let trimmed = name.trim_end_matches('_');
    if trimmed.is_empty() {
        "value".into()
    } else {
        trimmed.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_one_name_whatever_the_tool() {
        let named = |native| metric_name(Format::GoBench, native);
        assert_eq!(named("ns/op"), "time");
        assert_eq!(named("B/op"), "allocated_bytes");
        assert_eq!(named("allocs/op"), "allocations");
        assert_eq!(named("MB/s"), "throughput");
        assert_eq!(named("items/s"), "items_per_second");
        assert_eq!(named("p99-ms"), "p99_ms");
        assert_eq!(metric_name(Format::WebVitals, "LCP"), "lcp");
        assert_eq!(metric_name(Format::Boomerang, "pt.lcp"), "lcp");
        assert_eq!(metric_name(Format::Boomerang, "t_done"), "t_done");
        let lighthouse = |native| metric_name(Format::Lighthouse, native);
        assert_eq!(lighthouse("largest-contentful-paint"), "lcp");
        assert_eq!(lighthouse("speed-index"), "speed_index");
        assert_eq!(
            metric_name(Format::K6, "http_req_duration{phase:spike}"),
            "http_req_duration"
        );
        assert_eq!(metric_name(Format::Hyperfine, "wall_time"), "wall_time");
        assert_eq!(
            metric_name(Format::GoogleBenchmark, "bytesPerSecond"),
            "bytes_per_second"
        );
        assert_eq!(named("///"), "value");
    }
}
