#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer, V2Serializer};
use proptest::prelude::*;

use super::*;

fn header(payload_bytes: u32, digits: u32, lowest: u64, highest: u64) -> Vec<u8> {
    let mut bytes = COOKIE.to_be_bytes().to_vec();
    bytes.extend(payload_bytes.to_be_bytes());
    bytes.extend(0u32.to_be_bytes());
    bytes.extend(digits.to_be_bytes());
    bytes.extend(lowest.to_be_bytes());
    bytes.extend(highest.to_be_bytes());
    bytes.extend(1f64.to_be_bytes());
    bytes
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    let packed = encoder.finish().unwrap();
    let mut out = COMPRESSED_COOKIE.to_be_bytes().to_vec();
    out.extend((packed.len() as u32).to_be_bytes());
    out.extend(packed);
    out
}

#[test]
fn a_header_that_asks_for_gigabytes_is_refused_by_arithmetic() {
    // 39 and 40 bytes that make a trusting decoder allocate 48 MB and 2 GiB.
    let huge = header(u32::MAX >> 1, 5, 1, (1 << 63) - 1);
    assert!(matches!(
        Histogram::decode_v2(&huge),
        Err(DecodeError::Length { .. })
    ));
    assert_eq!(
        Histogram::decode_v2(&huge[..39]),
        Err(DecodeError::Truncated("the header"))
    );
    assert!(matches!(
        Histogram::decode_v2(&header(0, 5, 1, (1 << 63) - 1)),
        Err(DecodeError::Header(_))
    ));
    assert!(matches!(
        Histogram::decode_v2(&deflated(&huge)),
        Err(DecodeError::Header(_))
    ));
}

#[test]
fn a_zlib_bomb_stops_at_the_array_that_its_header_describes() {
    let zeros = vec![0; 3 << 20];
    let mut bomb = header(zeros.len() as u32, 3, 1, 1 << 20);
    bomb.extend(&zeros);
    assert!(matches!(
        Histogram::decode_v2(&deflated(&bomb)),
        Err(DecodeError::BeyondArray(_))
    ));
}

#[test]
fn malformed_headers_and_counts_are_named() {
    let refused = |bytes: &[u8]| Histogram::decode_v2(bytes).unwrap_err();
    for digits in [0, 6, u32::MAX] {
        assert!(matches!(
            refused(&header(0, digits, 1, 3600)),
            DecodeError::Header(_)
        ));
    }
    assert!(matches!(
        refused(&header(0, 3, 0, 3600)),
        DecodeError::Header(_)
    ));
    assert!(matches!(
        refused(&header(0, 3, 10, 15)),
        DecodeError::Header(_)
    ));
    let with = |counts: &[u8]| [header(counts.len() as u32, 3, 1, 2047), counts.to_vec()].concat();
    // A number that never ends, one that jumps beyond the array, one that fills more than the array.
    assert_eq!(refused(&with(&[0x80, 0x80])), DecodeError::Count(1));
    assert!(matches!(
        refused(&with(&[0xff; 9])),
        DecodeError::BeyondArray(2048)
    ));
    assert!(matches!(
        refused(&with(&vec![0; 2049])),
        DecodeError::BeyondArray(2048)
    ));
    // Two counts whose sum passes 2^64.
    let most = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert!(matches!(
        refused(&with(&[most, most, most].concat())),
        DecodeError::Histogram(HistogramError::CountOverflow)
    ));
    assert_eq!(
        refused(&[0x1c, 0x84, 0x93, 0x31, 0]),
        DecodeError::Version("V1")
    );
    assert_eq!(
        refused(&[0x1c, 0x84, 0x93, 0x09, 0]),
        DecodeError::Version("V0")
    );
    assert_eq!(refused(b"{\"a\""), DecodeError::Cookie(0x7b22_6122));
    assert!(matches!(
        Histogram::decode_base64("HIST*"),
        Err(DecodeError::Base64(_))
    ));
}

#[test]
fn a_payload_cut_short_is_refused() {
    let whole = Histogram::from_values(0..5_000).unwrap();
    for bytes in [whole.encode_v2(), deflated(&whole.encode_v2())] {
        for cut in [3, 7, 20, 41, bytes.len() / 2, bytes.len() - 1] {
            assert!(
                Histogram::decode_v2(&bytes[..cut]).is_err(),
                "{cut} of {}",
                bytes.len()
            );
        }
    }
}

#[test]
fn finer_digits_are_coarsened_to_three() {
    let values: Vec<u64> = (0..1_000).map(|i| i * i * 7).collect();
    let ours = Histogram::from_values(values.iter().copied()).unwrap();
    for digits in [3, 4, 5] {
        let mut finer =
            hdrhistogram::Histogram::<u64>::new_with_bounds(1, (1 << 23) - 1, digits).unwrap();
        values.iter().for_each(|&v| finer.record(v).unwrap());
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&finer, &mut bytes).unwrap();
        let decoded = Histogram::decode_v2(&bytes).unwrap();
        assert_eq!(decoded.significant_digits, digits);
        assert_eq!(decoded.histogram, ours);
    }
}

#[test]
fn coarser_digits_and_units_keep_counts_and_stay_within_their_precision() {
    let mut coarse =
        hdrhistogram::Histogram::<u64>::new_with_bounds(1_000, 3_600_000_000, 2).unwrap();
    let values: Vec<u64> = (1..500).map(|i| i * 100_003).collect();
    values.iter().for_each(|&v| coarse.record(v).unwrap());
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(&coarse, &mut bytes)
        .unwrap();
    let decoded = Histogram::decode_v2(&bytes).unwrap().histogram;
    assert_eq!(decoded.count(), 499);
    let median = decoded.quantile(0.5).unwrap();
    assert!(
        (median / (250.0 * 100_003.0) - 1.0).abs() < 0.01,
        "{median}"
    );
}

proptest! {
    #[test]
    fn what_we_encode_the_reference_reads_and_back(values in prop::collection::vec(0..=super::super::MAX_VALUE, 0..200), more in prop::collection::vec(0..3_000u64, 0..200)) {
        let ours = Histogram::from_values(values.into_iter().chain(more)).unwrap();
        prop_assert_eq!(&Histogram::decode_v2(&ours.encode_v2()).unwrap().histogram, &ours);
        prop_assert_eq!(&Histogram::decode_base64(&ours.encode_base64()).unwrap().histogram, &ours);
        prop_assert!(ours.encode_base64().starts_with("HISTFAAA"));
        let theirs: hdrhistogram::Histogram<u64> = Deserializer::new().deserialize(&mut ours.encode_v2().as_slice()).unwrap();
        prop_assert_eq!(theirs.len(), ours.count());
        let pairs: Vec<(u64, u64)> = theirs.iter_recorded().map(|v| (v.value_iterated_to(), v.count_since_last_iteration())).collect();
        let expected: Vec<(u64, u64)> = ours.buckets().map(|(_, upper, n)| (upper, n)).collect();
        prop_assert_eq!(pairs, expected);
        let mut again = Vec::new();
        V2DeflateSerializer::new().serialize(&theirs, &mut again).unwrap();
        prop_assert_eq!(Histogram::decode_v2(&again).unwrap().histogram, ours);
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..400), as_what in 0..4) {
        let cookie = if as_what % 2 == 0 { COOKIE } else { COMPRESSED_COOKIE };
        if as_what > 0 && bytes.len() >= 8 {
            bytes[..4].copy_from_slice(&cookie.to_be_bytes());
            let rest = bytes.len() as u32 - 8;
            bytes[4..8].copy_from_slice(&rest.to_be_bytes());
        }
        let _ = Histogram::decode_v2(&bytes);
        let _ = Histogram::decode_base64(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn arbitrary_counts_under_a_sane_header_never_panic(counts in prop::collection::vec(any::<u8>(), 0..300), digits in 1..6u32, lowest in 1..5_000u64, reach in 1..40u32) {
        let mut bytes = header(counts.len() as u32, digits, lowest, lowest << reach.min(60));
        bytes.extend(counts);
        if let Ok(decoded) = Histogram::decode_v2(&bytes) {
            prop_assert_eq!(Histogram::from_pairs(decoded.histogram.pairs().to_vec()).unwrap(), decoded.histogram.clone());
            prop_assert!(decoded.histogram.pairs().len() <= 60_000);
        }
    }
}
