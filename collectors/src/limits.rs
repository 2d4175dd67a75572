//! Bounds on what a file may cost (ingest.md §5), each with its reason, and the cutting of names that are too long.

/// How many left-out records a report lists by name; the rest are counted. Enough to see a pattern, small enough to read.
pub const SKIPPED_LISTED: usize = 100;

/// Bytes of a body once inflated: what one request may make a server hold.
pub const INFLATED_BYTES: u64 = 64 << 20;

/// Inflated bytes per compressed byte, looked at after [`RATIO_FREE_BYTES`]: honest text stays far below, bombs do not.
pub const INFLATE_RATIO: u64 = 100;

/// Inflated bytes for which no ratio is asked, so that small regular files pass.
pub const RATIO_FREE_BYTES: u64 = 1 << 20;

/// Bytes of a beacon: what browsers keep in flight for a page.
pub const BEACON_BYTES: usize = 64 << 10;

/// Nesting of JSON: no tool here goes beyond a dozen.
pub const JSON_DEPTH: usize = 64;

/// Bytes of one JSON string: the longest honest one is an encoded histogram.
pub const JSON_STRING_BYTES: usize = 64 << 10;

/// Keys of one JSON object.
pub const JSON_KEYS: usize = 10_000;

/// Values in one JSON document, which bounds the memory it takes once read (about 70 bytes each).
pub const JSON_VALUES: usize = 2_000_000;

/// Bytes of one line of NDJSON or text.
pub const LINE_BYTES: usize = 1 << 20;

/// Nesting of XML: no tool here goes beyond a dozen.
pub const XML_DEPTH: usize = 64;

/// Samples of one series in one file.
pub const SAMPLES: usize = 1_000_000;

/// Series in one file: more is a name with an id in it.
pub const SERIES: usize = 5_000;

/// Lines with a value in one Prometheus text: a hundred buckets for each series.
pub const EXPOSED_VALUES: usize = SERIES * 100;

/// Points of all series in one file that is a history, a thousand commits of fifty benchmarks: with the document that they
/// come from they take some 4 KB each.
pub const POINTS: usize = 50_000;

/// Labels of one series, bytes of a label's key, and of its value.
pub const LABELS: usize = 32;
/// Bytes of a label's key.
pub const LABEL_KEY_BYTES: usize = 64;
/// Bytes of a label's value.
pub const LABEL_VALUE_BYTES: usize = 256;

/// Bytes of the name of a flow or metric.
pub const NAME_BYTES: usize = 1 << 10;

/// Files that a walk through a directory takes, and how deep it goes: a results folder, not a disk.
pub const WALKED_FILES: usize = 10_000;
/// Levels of directories that a walk descends.
pub const WALKED_DEPTH: usize = 16;

/// The name itself, or where it is longer than `bytes` its beginning with a hash of the whole, so that it stays one name.
pub fn cut(name: &str, bytes: usize) -> String {
    if name.len() <= bytes {
        return name.to_owned();
    }
    let suffix = format!("~{:016x}", fnv1a(name.as_bytes()));
    let mut end = bytes.saturating_sub(suffix.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &name[..end])
}

/// FNV-1a, 64 bits: stable over versions and platforms, which the standard library's hasher is not.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_at_the_limit_stay_and_longer_ones_stay_distinct() {
        let whole = "é".repeat(512);
        assert_eq!(cut(&whole, NAME_BYTES), whole);
        let (a, b) = (
            cut(&format!("{whole}a"), NAME_BYTES),
            cut(&format!("{whole}b"), NAME_BYTES),
        );
        assert!(a.len() <= NAME_BYTES && b.len() <= NAME_BYTES);
        assert_ne!(a, b);
        assert_eq!(cut("ab", 1).len(), 17, "a hash is never cut");
    }

    #[test]
    fn the_hash_is_fnv1a() {
        assert_eq!(
            (fnv1a(b""), fnv1a(b"foobar")),
            (0xcbf2_9ce4_8422_2325, 0x8594_4171_f739_67e8)
        );
    }
}
