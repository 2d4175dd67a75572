//! The shop's `longwatch.toml`, with its dates set relative to now.

use super::releases::{DAY_US, SECOND_US};

const TEMPLATE: &str = include_str!("shop.toml");
/// The checkout's budget begins to gate on the first day of the month that is so far ahead.
const RISES_IN_DAYS: i64 = 72;
/// The waiver of the spring ended so long ago, a day before v2.12 mended what it allowed.
const WAIVED_UNTIL_DAYS_AGO: i64 = 184;

/// The whole file.
pub(super) fn text(now_us: i64) -> String {
    let rises = date(now_us + RISES_IN_DAYS * DAY_US);
    let rises = rises.first_of_month();
    let waived = date(now_us - WAIVED_UNTIL_DAYS_AGO * DAY_US);
    TEMPLATE
        .replace("{rises_on}", &rises.to_string())
        .replace("{waived_until}", &waived.to_string())
}

/// The UTC date of a moment; years beyond 9999 do not occur and would read as the epoch's first day.
fn date(at_us: i64) -> jiff::civil::Date {
    let second = at_us.div_euclid(SECOND_US);
    jiff::Timestamp::from_second(second)
        .map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).date())
        .unwrap_or(jiff::civil::Date::constant(1970, 1, 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn the_file_is_toml_and_its_dates_are_dates() {
        let text = text(1_795_270_200 * SECOND_US);
        let parsed: toml::Table = text.parse().unwrap();
        let budgets = parsed["budget"].as_array().unwrap();
        let rising = budgets
            .iter()
            .find_map(|b| b.get("rises_on"))
            .unwrap()
            .as_datetime()
            .unwrap();
        assert_eq!(rising.to_string(), "2027-02-01");
        let waiver = &parsed["waiver"].as_array().unwrap()[0];
        assert_eq!(
            waiver["until"].as_datetime().unwrap().to_string(),
            "2026-05-21"
        );
        assert_eq!(parsed["gate"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn every_budget_and_gate_names_a_declared_flow() {
        let parsed: toml::Table = text(0).parse().unwrap();
        let names = |table: &str, field: &str| -> Vec<String> {
            let rows = parsed[table].as_array().unwrap();
            rows.iter()
                .map(|row| row[field].as_str().unwrap().to_owned())
                .collect()
        };
        let flows = names("flow", "name");
        assert!(
            names("budget", "flow")
                .iter()
                .all(|flow| flows.contains(flow))
        );
        assert!(
            names("reference", "flow")
                .iter()
                .all(|flow| flows.contains(flow))
        );
        for gate in parsed["gate"].as_array().unwrap() {
            let gated = gate["flows"].as_array().unwrap();
            assert!(
                gated
                    .iter()
                    .all(|flow| flows.contains(&flow.as_str().unwrap().to_owned()))
            );
        }
    }
}
