//! wrk's text: average, deviation and maximum, the percentiles of `--latency`, and requests per second.
//!
//! wrk waits for slow answers before it asks again, so its times leave out who had to wait (coordinated omission).

use crate::error::{ErrorKind, ParseError};
use crate::input::{Input, Shape};
use crate::report::{Payload, Quality, Report};
use crate::wrk_text::{self, WrkText};
use crate::{Format, ParseOptions};

/// How wrk begins the one line that it prints where nobody answers.
const REFUSED: &str = "unable to connect to ";

pub(crate) fn sniff(input: &Input) -> bool {
    matches!(input.shape, Shape::Text)
        && (refusal(&input.text).is_some()
            || wrk_text::begins(&input.text) && !wrk_text::is_wrk2(&input.text))
}

/// wrk ends with this line, so nothing but a word or two of a shell stands around it.
fn refusal(text: &str) -> Option<&str> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    (text.len() < 4096)
        .then(|| lines.find(|line| line.starts_with(REFUSED)))
        .flatten()
        .filter(|_| !wrk_text::begins(text))
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    if let Some(line) = refusal(&input.text) {
        let error = ParseError::new(ErrorKind::NoResult, format!("wrk has no result: {line}"));
        return Err(error.hint("is the server up where wrk looks for it?"));
    }
    let text = WrkText::read(input)?;
    let mut draft = text.draft(Format::Wrk, "wrk");
    let mut latency = text.latency(Payload::Summary(text.summary()), false);
    latency.quality = vec![Quality::CoordinatedOmission, Quality::Rounded];
    text.add_failures(&mut latency);
    draft.add(latency)?;
    draft.add(text.per_second())?;
    Ok(draft.finish())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn read(text: &str) -> Result<Report, ParseError> {
        crate::parse(text.as_bytes(), &ParseOptions::default())
    }

    const TEXT: &str = "Running 1m test @ http://shop/item/17?u=1\n  12 threads and 400 connections\n  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency   635.91us    0.89ms   1.02m    93.69%\n    Req/Sec    56.20k     8.07k   62.00k    86.54%\n  22464657 requests in 30.00s, 17.76GB read\n  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 5\nRequests/sec: 748868.53\nTransfer/sec:    606.33MB\n";

    #[test]
    fn every_number_has_its_own_unit_and_failures_are_flagged() {
        let report = read(TEXT).unwrap();
        let latency = &report.observations[0];
        let Payload::Summary(summary) = &latency.payload else {
            panic!()
        };
        let values: Vec<f64> = summary.reported.iter().map(|(_, v)| *v).collect();
        assert_eq!(values, [0.63591, 0.89, 61_200.0]);
        assert_eq!((latency.flow.as_str(), latency.failed), ("/item/:id", 5));
        assert_eq!(latency.labels["co_corrected"], "false");
        assert_eq!(latency.labels["connections"], "400");
        assert!(latency.quality.contains(&Quality::FailuresIncluded));
        assert_eq!(report.warnings.len(), 1);
        assert_eq!(summary.count, Some(22_464_657));
    }

    #[test]
    fn no_answer_none_of_them_and_an_early_end_are_no_results() {
        for text in [
            "unable to connect to 127.0.0.1:9 Connection refused\n".to_owned(),
            TEXT.replace("22464657 requests", "0 requests"),
            TEXT.split_once("Requests/sec").unwrap().0.to_owned(),
        ] {
            assert_eq!(read(&text).unwrap_err().kind, ErrorKind::NoResult, "{text}");
        }
    }
}
