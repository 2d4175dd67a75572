//! One HdrHistogram: a V2 payload (base64 text or binary), or the percentile table that `.hgrm` files hold.
//!
//! Neither says in what unit its values are, so the sender must.

use crate::draft::{Draft, observation};
use crate::error::{ErrorKind, ParseError};
use crate::histogram::Histogram;
use crate::histogram::v2::{DecodeError, DecodedHdr};
use crate::input::{Input, Shape};
use crate::report::{Buckets, Payload, Report};
use crate::spectrum::spectrum;
use crate::{Format, ParseOptions};

pub(crate) fn sniff(input: &Input) -> bool {
    match &input.shape {
        Shape::Hdr(_) => true,
        Shape::Text => is_base64(&input.text) || is_table(&input.text),
        _ => false,
    }
}

/// Every HdrHistogram cookie begins with the bytes 1c 84 93, which are `HIST` in base64.
fn is_base64(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("HIST") && text.lines().count() <= 2_000 && !text.contains([',', ' ', '{'])
}

fn is_table(text: &str) -> bool {
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let words: Vec<&str> = first.split_whitespace().collect();
    words.starts_with(&["Value", "Percentile", "TotalCount"])
}

pub(crate) fn parse(input: &Input, options: &ParseOptions) -> Result<Report, ParseError> {
    let buckets = match &input.shape {
        Shape::Hdr(bytes) => decoded(Histogram::decode_v2(bytes).map_err(refused)?),
        _ if is_table(&input.text) => spectrum(input.lines().skip(1))?,
        _ => decoded(Histogram::decode_base64(&input.text).map_err(refused)?),
    };
    let Some(unit) = options.unit.as_deref() else {
        let error = ParseError::new(
            ErrorKind::UnitMissing,
            "an HdrHistogram does not say in what unit its values are",
        );
        return Err(error.hint("say it: --unit us (wrk2, YCSB), --unit ns (jHiccup), --unit ms"));
    };
    let mut draft = Draft::new(Format::HdrPayload);
    let empty = matches!(&buckets, Buckets::Hdr { histogram, .. } if histogram.is_empty());
    if empty {
        draft.skip("histogram", "it holds no values");
    } else {
        draft.add(observation(
            "histogram",
            "value",
            unit,
            Payload::Buckets(buckets),
        ))?;
    }
    Ok(draft.finish())
}

fn decoded(decoded: DecodedHdr) -> Buckets {
    let DecodedHdr {
        histogram,
        unit_ratio,
        significant_digits,
        ..
    } = decoded;
    Buckets::Hdr {
        histogram,
        unit_ratio,
        significant_digits,
    }
}

pub(crate) fn refused(error: DecodeError) -> ParseError {
    let hint = match error {
        DecodeError::Base64(_)
        | DecodeError::Truncated(_)
        | DecodeError::Length { .. }
        | DecodeError::Zlib(_) => "was it cut short in copying?",
        _ => "encode it again with a current HdrHistogram library",
    };
    ParseError::new(ErrorKind::CorruptHdrPayload, error.to_string()).hint(hint)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn read(bytes: &[u8], unit: Option<&str>) -> Result<Report, ParseError> {
        crate::parse(
            bytes,
            &ParseOptions {
                unit: unit.map(str::to_owned),
                flow: Some("checkout".into()),
                ..ParseOptions::default()
            },
        )
    }

    #[test]
    fn text_and_binary_payloads_are_the_same_histogram_and_need_a_unit() {
        let histogram = Histogram::from_values([1, 2, 3_000_000]).unwrap();
        let (binary, text) = (histogram.encode_v2(), histogram.encode_base64());
        assert_eq!(
            read(&binary, None).unwrap_err().kind,
            ErrorKind::UnitMissing
        );
        let (binary, text) = (
            read(&binary, Some("us")).unwrap(),
            read(text.as_bytes(), Some("us")).unwrap(),
        );
        assert_eq!(binary, text);
        assert_eq!(
            (
                binary.observations[0].flow.as_str(),
                binary.observations[0].unit.as_str()
            ),
            ("checkout", "us")
        );
    }

    #[test]
    fn corrupt_payloads_are_refused_as_such() {
        let text = Histogram::from_values(0..10_000).unwrap().encode_base64();
        for broken in [&text[..text.len() / 2], "HISTFAAA", "HISTEQAAAA==", "HIST!"] {
            assert_eq!(
                read(broken.as_bytes(), Some("us")).unwrap_err().kind,
                ErrorKind::CorruptHdrPayload,
                "{broken}"
            );
        }
        let nothing = read(Histogram::new().encode_base64().as_bytes(), Some("us")).unwrap();
        assert!(nothing.observations.is_empty());
    }

    #[test]
    fn the_rows_of_a_table_are_true_bucket_counts() {
        let table = "  Value Percentile TotalCount 1/(1-Percentile)\n\n 10.0 0.5 4 2.0\n 12.0 0.9 4 2.0\n 20.0 0.99 5 10.0\n 20.0 1.0 5 inf\n#[Max = 20.0, Total count = 5]\n";
        let report = read(table.as_bytes(), Some("ms")).unwrap();
        let Payload::Buckets(Buckets::Spectrum { rows, reported }) =
            &report.observations[0].payload
        else {
            panic!()
        };
        assert_eq!(rows, &[(10.0, 4), (20.0, 1)]);
        assert_eq!(reported["Max"], 20.0);
        let falling = "Value Percentile TotalCount\n 10.0 0.5 4\n 9.0 0.9 5\n";
        assert_eq!(
            read(falling.as_bytes(), Some("ms"))
                .unwrap_err()
                .place
                .unwrap()
                .line,
            Some(3)
        );
    }
}
