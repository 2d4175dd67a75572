//! HdrHistogram's V2 encoding, both ways, with nothing from the sender believed before it is checked; and V1, which older
//! libraries write, for reading: its header is the same, its counts are words of two, four or eight bytes.
//!
//! A payload states its own layout: a 40-byte header may ask a trusting decoder for gigabytes. Here every size follows
//! from header arithmetic that is bounded first, inflating is streamed, and counts go straight into the sparse
//! histogram (coarsened to three digits), so that no input costs more than about a megabyte.

use std::io::{BufReader, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::{Histogram, HistogramError, MAX_VALUE};

const COOKIE: u32 = 0x1c84_9313;
const COMPRESSED_COOKIE: u32 = 0x1c84_9314;
/// V1's cookies, without the bytes of a count, which stand in the bits of [`WORD_BITS`].
const V1_COOKIE: u32 = 0x1c84_9301;
const V1_COMPRESSED_COOKIE: u32 = 0x1c84_9302;
const WORD_BITS: u32 = 0xf0;
const HEADER_BYTES: usize = 40;
/// At most this many counts may a header describe (digits 1 to 5 over a sensible range stay well below it).
const MAX_COUNTS: u64 = 1 << 20;
/// A count takes at most nine bytes in this LEB128 variant.
const MAX_LEB_BYTES: u64 = 9;

/// Why a payload was refused. The sender should encode again with a current HdrHistogram library.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not base64.
    #[error("the payload is not base64 (zlib inside base64 is expected): {0}")]
    Base64(String),
    /// The first four bytes are no HdrHistogram cookie.
    #[error("not an HdrHistogram payload: it begins with {0:#010x}")]
    Cookie(u32),
    /// An older encoding, named.
    #[error("the payload is in HdrHistogram's {0} encoding: encode as V2")]
    Version(&'static str),
    /// The bytes end inside of something.
    #[error("the payload is truncated: it ends inside {0}")]
    Truncated(&'static str),
    /// A length in the payload disagrees with what is there.
    #[error("the payload says {said} bytes of {what}, {found} are there")]
    Length {
        /// Of what.
        what: &'static str,
        /// As stated.
        said: u64,
        /// As found.
        found: u64,
    },
    /// The header describes no histogram, or one too large.
    #[error("the payload's header is refused: {0}")]
    Header(String),
    /// The compressed part is broken.
    #[error("the payload's zlib data is corrupt: {0}")]
    Zlib(String),
    /// More counts than the header's layout has room for.
    #[error("the payload holds counts beyond the {0} that its header describes")]
    BeyondArray(u64),
    /// A count is malformed.
    #[error("count number {0} of the payload is malformed")]
    Count(u64),
    /// The values or the total do not fit.
    #[error(transparent)]
    Histogram(#[from] HistogramError),
}

/// A decoded payload with what its header states.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodedHdr {
    /// The counts, coarsened to three significant digits where they came finer.
    pub histogram: Histogram,
    /// Native units per integer step.
    pub unit_ratio: f64,
    /// Significant digits as stated, 1 to 5.
    pub significant_digits: u8,
    /// Lowest discernible value as stated.
    pub lowest: u64,
    /// Highest trackable value as stated.
    pub highest: u64,
}

impl Histogram {
    /// The V2 encoding without compression.
    pub fn encode_v2(&self) -> Vec<u8> {
        let mut counts = Vec::with_capacity(self.counts.len() * 3);
        let mut next: i64 = 0;
        for &(index, n) in &self.counts {
            if i64::from(index) > next {
                put_leb(&mut counts, next - i64::from(index));
            }
            // A count beyond i64 cannot be said in this encoding; no window comes near 9 · 10^18 samples.
            put_leb(&mut counts, i64::try_from(n).unwrap_or(i64::MAX));
            next = i64::from(index) + 1;
        }
        let mut out = Vec::with_capacity(HEADER_BYTES + counts.len());
        out.extend(COOKIE.to_be_bytes());
        out.extend((counts.len() as u32).to_be_bytes());
        out.extend(0u32.to_be_bytes());
        out.extend(3u32.to_be_bytes());
        out.extend(1u64.to_be_bytes());
        out.extend(self.highest().unwrap_or(0).max(2).to_be_bytes());
        out.extend(1f64.to_be_bytes());
        out.extend(counts);
        out
    }

    /// The V2 encoding, deflated, in base64 ("HISTFAAA…"): what HdrHistogram's log format carries.
    pub fn encode_base64(&self) -> String {
        let mut encoder =
            flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        // Writing to a Vec cannot fail.
        let _ = encoder.write_all(&self.encode_v2());
        let deflated = encoder.finish().unwrap_or_default();
        let mut out = Vec::with_capacity(8 + deflated.len());
        out.extend(COMPRESSED_COOKIE.to_be_bytes());
        out.extend((deflated.len() as u32).to_be_bytes());
        out.extend(deflated);
        STANDARD.encode(out)
    }

    /// Decodes V2 or V1 bytes, compressed or not.
    pub fn decode_v2(bytes: &[u8]) -> Result<DecodedHdr, DecodeError> {
        let cookie = cookie(bytes)?;
        match Encoding::of(cookie) {
            Some(_) => decode_plain(bytes, Some(bytes.len() as u64)),
            None if cookie == COMPRESSED_COOKIE || cookie & !WORD_BITS == V1_COMPRESSED_COOKIE => {
                let said = be_u32(bytes, 4)
                    .ok_or(DecodeError::Truncated("the length of the zlib data"))?
                    as usize;
                let deflated = &bytes[8..];
                if said > deflated.len() {
                    let (said, found) = (said as u64, deflated.len() as u64);
                    return Err(DecodeError::Length {
                        what: "zlib data",
                        said,
                        found,
                    });
                }
                decode_plain(
                    BufReader::new(flate2::bufread::ZlibDecoder::new(&deflated[..said])),
                    None,
                )
            }
            None => Err(refused(cookie)),
        }
    }

    /// Decodes V2 or V1 in base64, with or without padding; white space is ignored.
    pub fn decode_base64(text: &str) -> Result<DecodedHdr, DecodeError> {
        let mut packed: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        while packed.last() == Some(&b'=') {
            packed.pop();
        }
        let bytes = STANDARD_NO_PAD
            .decode(&packed)
            .map_err(|e| DecodeError::Base64(e.to_string()))?;
        Self::decode_v2(&bytes)
    }
}

/// How a payload's counts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// V2: ZigZag LEB128, where a negative number is so many zeros.
    Leb,
    /// V1: words of so many bytes.
    Words(usize),
}

impl Encoding {
    fn of(cookie: u32) -> Option<Self> {
        match (cookie, (cookie & WORD_BITS) >> 4) {
            (COOKIE, _) => Some(Encoding::Leb),
            (_, bytes @ (2 | 4 | 8)) if cookie & !WORD_BITS == V1_COOKIE => {
                Some(Encoding::Words(bytes as usize))
            }
            _ => None,
        }
    }

    /// The next number of at most `available` bytes, and how many it took.
    fn read(
        self,
        input: &mut impl Read,
        available: u64,
        number: u64,
    ) -> Result<(i64, u64), DecodeError> {
        let Encoding::Words(bytes) = self else {
            return leb(input, available, number);
        };
        if available < bytes as u64 {
            return Err(DecodeError::Count(number));
        }
        let mut word = [0; 8];
        fill(input, &mut word[8 - bytes..], "the counts")?;
        let count = i64::try_from(u64::from_be_bytes(word)).ok();
        Ok((count.ok_or(DecodeError::Count(number))?, bytes as u64))
    }
}

fn refused(cookie: u32) -> DecodeError {
    match cookie & !WORD_BITS {
        V1_COOKIE | V1_COMPRESSED_COOKIE => DecodeError::Version("V1"),
        0x1c84_9308 | 0x1c84_9309 => DecodeError::Version("V0"),
        _ => DecodeError::Cookie(cookie),
    }
}

fn cookie(bytes: &[u8]) -> Result<u32, DecodeError> {
    be_u32(bytes, 0).ok_or(DecodeError::Truncated("its first four bytes"))
}

fn be_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..at + 4)?
        .try_into()
        .ok()
        .map(u32::from_be_bytes)
}

fn be_u64(bytes: &[u8; HEADER_BYTES], at: usize) -> u64 {
    bytes[at..at + 8]
        .iter()
        .fold(0, |n, &b| n << 8 | u64::from(b))
}

/// How the sender's counts map to values.
struct Layout {
    unit_magnitude: u32,
    half_magnitude: u32,
    counts: u64,
}

impl Layout {
    fn new(lowest: u64, highest: u64, digits: u32) -> Result<Self, DecodeError> {
        let refuse = |why: String| Err(DecodeError::Header(why));
        if !(1..=5).contains(&digits) {
            return refuse(format!("{digits} significant digits (1 to 5 are known)"));
        }
        if lowest == 0 || lowest > 1 << 40 || highest >= 1 << 63 || highest / 2 < lowest {
            return refuse(format!("a range of {lowest} to {highest}"));
        }
        let unit_magnitude = lowest.ilog2();
        let sub_buckets_magnitude = (2 * 10u64.pow(digits)).next_power_of_two().ilog2();
        // Bits that the highest value has above the first bucket: one more bucket each.
        let covered = unit_magnitude + sub_buckets_magnitude;
        let buckets = u64::from((highest.ilog2() + 1).saturating_sub(covered)) + 1;
        let half_magnitude = sub_buckets_magnitude - 1;
        let counts = (buckets + 1) << half_magnitude;
        if counts > MAX_COUNTS {
            return refuse(format!("{counts} counts, more than {MAX_COUNTS}"));
        }
        Ok(Layout {
            unit_magnitude,
            half_magnitude,
            counts,
        })
    }

    /// The lower edge of the `index`th bucket, where its values are recorded, as the reference implementation records them
    /// where it adds a histogram to one of another layout (`AbstractHistogram.add`).
    fn value(&self, index: u64) -> u64 {
        let half = 1u64 << self.half_magnitude;
        let (bucket, sub) = if index < 2 * half {
            (0, index)
        } else {
            (index / half - 1, index % half + half)
        };
        let shift = bucket as u32 + self.unit_magnitude;
        // The layout covers no more than the 63 bits of the header's highest value, rounded up to a whole bucket.
        if shift + self.half_magnitude >= 63 {
            u64::MAX
        } else {
            sub << shift
        }
    }
}

fn decode_plain(mut input: impl Read, present: Option<u64>) -> Result<DecodedHdr, DecodeError> {
    let mut header = [0; HEADER_BYTES];
    fill(&mut input, &mut header, "the header")?;
    let cookie = cookie(&header)?;
    let encoding = Encoding::of(cookie).ok_or_else(|| refused(cookie))?;
    let payload_bytes = be_u64(&header, 0) & 0xffff_ffff;
    let digits = (be_u64(&header, 8) & 0xffff_ffff) as u32;
    let (lowest, highest) = (be_u64(&header, 16), be_u64(&header, 24));
    // The normalising offset at byte 8 concerns the sender's memory alone: counts travel in the order of their values.
    let unit_ratio = match be_u64(&header, 32) {
        // The JavaScript library writes an integer 1 where the format has a double.
        1 => 1.0,
        bits => f64::from_bits(bits),
    };
    if let Some(found) = present
        .map(|n| n - HEADER_BYTES as u64)
        .filter(|&n| payload_bytes > n)
    {
        return Err(DecodeError::Length {
            what: "counts",
            said: payload_bytes,
            found,
        });
    }
    if !(unit_ratio.is_normal() && unit_ratio > 0.0) {
        return Err(DecodeError::Header(format!("a unit ratio of {unit_ratio}")));
    }
    let layout = Layout::new(lowest, highest, digits)?;
    if payload_bytes > layout.counts * MAX_LEB_BYTES {
        return Err(DecodeError::BeyondArray(layout.counts));
    }
    let histogram = decode_counts(input.take(payload_bytes), payload_bytes, &layout, encoding)?;
    Ok(DecodedHdr {
        histogram,
        unit_ratio,
        significant_digits: digits as u8,
        lowest,
        highest,
    })
}

fn decode_counts(
    mut input: impl Read,
    bytes: u64,
    layout: &Layout,
    encoding: Encoding,
) -> Result<Histogram, DecodeError> {
    let mut counts: Vec<(u32, u64)> = Vec::new();
    let (mut index, mut read) = (0u64, 0u64);
    let mut number = 0;
    while read < bytes {
        number += 1;
        let (n, took) = encoding.read(&mut input, bytes - read, number)?;
        read += took;
        if n < 0 {
            index = index
                .checked_add(n.unsigned_abs())
                .ok_or(DecodeError::BeyondArray(layout.counts))?;
        } else {
            if n > 0 && index < layout.counts {
                let value = layout.value(index);
                if value > MAX_VALUE {
                    return Err(HistogramError::ValueOutOfRange(value).into());
                }
                push(&mut counts, super::index_of(value), n.unsigned_abs())?;
            }
            index += 1;
        }
        if index > layout.counts {
            return Err(DecodeError::BeyondArray(layout.counts));
        }
    }
    Ok(Histogram::from_pairs(counts)?)
}

fn push(counts: &mut Vec<(u32, u64)>, index: u32, n: u64) -> Result<(), HistogramError> {
    match counts.last_mut() {
        Some(last) if last.0 == index => {
            last.1 = last.1.checked_add(n).ok_or(HistogramError::CountOverflow)?
        }
        _ => counts.push((index, n)),
    }
    Ok(())
}

fn fill(input: &mut impl Read, buffer: &mut [u8], part: &'static str) -> Result<(), DecodeError> {
    input.read_exact(buffer).map_err(|e| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => DecodeError::Truncated(part),
        _ => DecodeError::Zlib(e.to_string()),
    })
}

/// One ZigZag LEB128 number of at most `available` bytes, and how many it took; the ninth byte carries eight bits.
fn leb(input: &mut impl Read, available: u64, number: u64) -> Result<(i64, u64), DecodeError> {
    let mut n: u64 = 0;
    for took in 0..MAX_LEB_BYTES {
        if took == available {
            return Err(DecodeError::Count(number));
        }
        let mut byte = [0];
        fill(input, &mut byte, "the counts")?;
        if took == MAX_LEB_BYTES - 1 {
            n |= u64::from(byte[0]) << 56;
            return Ok((unzigzag(n), took + 1));
        }
        n |= u64::from(byte[0] & 0x7f) << (7 * took);
        if byte[0] & 0x80 == 0 {
            return Ok((unzigzag(n), took + 1));
        }
    }
    Err(DecodeError::Count(number))
}

fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

fn put_leb(out: &mut Vec<u8>, n: i64) {
    let mut rest = ((n << 1) ^ (n >> 63)) as u64;
    for _ in 0..MAX_LEB_BYTES - 1 {
        if rest < 0x80 {
            out.push(rest as u8);
            return;
        }
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
#[path = "v2_tests.rs"]
mod tests;
