//! The percentile table that HdrHistogram prints, as `.hgrm` files, wrk2 and vegeta's `hdrplot` have it.

use std::collections::BTreeMap;

use crate::error::{ErrorKind, ParseError};
use crate::report::Buckets;

/// The rows of a percentile table without its heading: the difference of two total counts is the count between two edges.
pub(crate) fn spectrum<'a>(
    lines: impl Iterator<Item = Result<(usize, &'a str), ParseError>>,
) -> Result<Buckets, ParseError> {
    let mut rows: Vec<(f64, u64)> = Vec::new();
    let mut reported = BTreeMap::new();
    let (mut total, mut edge) = (0, f64::NEG_INFINITY);
    for line in lines {
        let (number, line) = line?;
        if let Some(footer) = line
            .trim()
            .strip_prefix("#[")
            .and_then(|l| l.strip_suffix(']'))
        {
            let pairs = footer.split(',').filter_map(|pair| pair.split_once('='));
            reported.extend(pairs.filter_map(|(key, value)| {
                let value = value.trim().parse().ok().filter(|v: &f64| v.is_finite());
                Some((key.trim().to_owned(), value?))
            }));
            continue;
        }
        let mut words = line.split_whitespace();
        let value = words.next().and_then(|w| w.parse::<f64>().ok());
        let upto = words.nth(1).and_then(|w| w.parse::<u64>().ok());
        let (Some(value), Some(upto)) = (
            value.filter(|v| v.is_finite() && *v >= edge),
            upto.filter(|n| *n >= total),
        ) else {
            let error = ParseError::new(
                ErrorKind::InvalidValue,
                "no row of a percentile table, or one out of order",
            );
            return Err(error.at_line(number));
        };
        match rows.last_mut() {
            Some(last) if last.0 == value => last.1 += upto - total,
            _ if upto > total => rows.push((value, upto - total)),
            _ => {}
        }
        (total, edge) = (upto, value);
    }
    if rows.is_empty() {
        return Err(ParseError::new(
            ErrorKind::NoResult,
            "the percentile table has no rows: no result",
        ));
    }
    Ok(Buckets::Spectrum { rows, reported })
}
