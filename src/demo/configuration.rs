//! The shop's `longwatch.toml`, with its dates set relative to now.

use super::releases::DAY_US;
use crate::config::utc_date;

const TEMPLATE: &str = include_str!("shop.toml");
/// The checkout's budget begins to gate on the first day of the month that is so far ahead.
const RISES_IN_DAYS: i64 = 72;
/// The waiver of the spring ended so long ago, a day before v2.12 mended what it allowed.
const WAIVED_UNTIL_DAYS_AGO: i64 = 184;

/// The whole file.
pub(super) fn text(now_us: i64) -> String {
    let rises = utc_date(now_us + RISES_IN_DAYS * DAY_US).first_of_month();
    let waived = utc_date(now_us - WAIVED_UNTIL_DAYS_AGO * DAY_US);
    TEMPLATE
        .replace("{rises_on}", &rises.to_string())
        .replace("{waived_until}", &waived.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use collectors::report::Source;

    use super::*;
    use crate::config::Config;
    use crate::demo::releases::SECOND_US;

    const NOW_US: i64 = 1_795_270_200 * SECOND_US;

    #[test]
    fn the_file_is_in_order_and_its_dates_follow_the_clock() {
        let config = Config::parse(&text(NOW_US)).unwrap();
        let budget = config.budget("checkout-lcp").unwrap();
        assert_eq!(budget.rises.unwrap().1.to_string(), "2027-02-01");
        let ended = jiff::civil::date(2026, 5, 21);
        assert!(config.waiver_for("checkout-lcp", ended).is_some());
        let day_after = ended.tomorrow().unwrap();
        assert!(config.waiver_for("checkout-lcp", day_after).is_none());
        assert!(config.gate("release").is_some() && config.gate("field").is_some());
    }

    #[test]
    fn the_names_that_tools_use_lead_to_the_flows_that_people_name() {
        let config = Config::parse(&text(NOW_US)).unwrap();
        for (source, name, flow) in [
            (Source::Rum, "/checkout", "Checkout"),
            (Source::Load, "POST /checkout", "Checkout"),
            (Source::Bench, "checkout/total", "Checkout"),
            (Source::Rum, "/search", "Search"),
            (Source::Rum, "/product/:id", "Product page"),
            (Source::Load, "POST /login", "Login"),
            (Source::Load, "POST /order", "Place order"),
            (Source::Bench, "parse_import/large", "Parse import"),
            (Source::Load, "POST /refund", "Refund"),
            (Source::Bench, "price/format", "price/format"),
        ] {
            assert_eq!(config.flow_for(source, name, "", &Default::default()), flow);
        }
    }
}
