//! What collectors of a service's own metrics have in common: values that may be no measurement, the work that labels
//! name, and failures.

use serde_json::{Value, json};

use crate::draft::{observation, scalar};
use crate::report::{Basis, Direction, Observation, Payload, Summary};

/// Labels that name the unit of work, each with those that say how it was called.
const WORK: [(&[&str], &[&str]); 5] = [
    (
        &["http.route", "http_route", "url.template"],
        &[
            "http.request.method",
            "http.method",
            "http_request_method",
            "method",
        ],
    ),
    (
        &["rpc.method", "rpc_method"],
        &["rpc.service", "rpc_service"],
    ),
    (&["grpc_method"], &["grpc_service"]),
    (&["graphql.operation.name"], &["graphql.operation.type"]),
    (&["route", "handler"], &["method"]),
];

/// Labels that hold a status code of HTTP.
const STATUS: [&str; 7] = [
    "http.response.status_code",
    "http.status_code",
    "http_response_status_code",
    "http_status_code",
    "status_code",
    "code",
    "status",
];

/// One value under the tool's word for its kind (`gauge`, `counter`). What is negative or no finite number is no
/// measurement that can be compared: it is reported as it was printed, and nothing else is made of it.
pub(crate) fn one_value(
    metric: &str,
    unit: &str,
    kind: &str,
    value: f64,
    reported: Vec<(String, f64)>,
) -> Observation {
    let usable = value.is_finite() && value >= 0.0;
    let mut extra = serde_json::Map::new();
    extra.insert("kind".into(), kind.into());
    let payload = if usable {
        let printed: serde_json::Map<String, Value> = reported
            .into_iter()
            .map(|(name, value)| (name, printed(value)))
            .collect();
        extra.insert("reported".into(), printed.into());
        scalar(value)
    } else {
        Payload::Summary(Summary {
            reported,
            ..Summary::default()
        })
    };
    Observation {
        basis: Basis::Run,
        direction: Direction::Unknown,
        extra,
        ..observation(metric, metric, unit, payload)
    }
}

/// A number as JSON, and as text where JSON has no such number.
pub(crate) fn printed(value: f64) -> Value {
    match value {
        _ if value.is_finite() => json!(value),
        _ if value.is_nan() => "NaN".into(),
        _ if value > 0.0 => "+Inf".into(),
        _ => "-Inf".into(),
    }
}

/// Makes the work that the labels name the flow; the tool's own listing is by metric.
pub(crate) fn name_work(observation: &mut Observation) {
    let label = |keys: &[&str]| {
        keys.iter()
            .find_map(|key| observation.labels.get(*key))
            .filter(|value| !value.is_empty())
    };
    let named = WORK
        .iter()
        .find_map(|(work, how)| Some((label(work)?, label(how), work)));
    let flow = match named {
        Some((work, Some(how), keys)) if keys[0].contains("rpc") => format!("{how}/{work}"),
        Some((work, Some(how), _)) => format!("{how} {work}"),
        Some((work, None, _)) => work.clone(),
        None => return,
    };
    let metric = std::mem::replace(&mut observation.flow, flow);
    observation.shown_as = Some(metric);
}

/// Labels what failed, so that quick failures improve no percentile.
pub(crate) fn mark_failure(observation: &mut Observation) {
    let labels = &observation.labels;
    let failed_status = STATUS
        .iter()
        .filter_map(|key| labels.get(*key))
        .any(|code| code.len() == 3 && code.starts_with('5'));
    let said = |key: &str| {
        labels
            .get(key)
            .is_some_and(|error| !error.is_empty() && !error.eq_ignore_ascii_case("false"))
    };
    if (failed_status || said("error.type") || said("error")) && !labels.contains_key("outcome") {
        observation.labels.insert("outcome".into(), "error".into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(labels: &[(&str, &str)]) -> Observation {
        let mut found = one_value("m", "s", "gauge", 1.0, Vec::new());
        found
            .labels
            .extend(labels.iter().map(|(k, v)| ((*k).into(), (*v).into())));
        name_work(&mut found);
        mark_failure(&mut found);
        found
    }

    #[test]
    fn the_work_that_labels_name_is_the_flow() {
        let flow = |labels| of(labels).flow;
        assert_eq!(
            flow(&[("http.route", "/a"), ("http.request.method", "GET")]),
            "GET /a"
        );
        assert_eq!(
            flow(&[("rpc.service", "shop.Cart"), ("rpc.method", "Add")]),
            "shop.Cart/Add"
        );
        assert_eq!(flow(&[("route", "/a")]), "/a");
        assert_eq!(flow(&[("page", "/a")]), "m");
    }

    #[test]
    fn failures_are_series_of_their_own() {
        let outcome = |labels| of(labels).labels.remove("outcome");
        assert_eq!(outcome(&[("code", "503")]).as_deref(), Some("error"));
        assert_eq!(
            outcome(&[("error.type", "timeout")]).as_deref(),
            Some("error")
        );
        assert_eq!(outcome(&[("code", "200"), ("error", "False")]), None);
        assert_eq!(
            outcome(&[("status", "500"), ("outcome", "SERVER_ERROR")]).as_deref(),
            Some("SERVER_ERROR")
        );
    }
}
