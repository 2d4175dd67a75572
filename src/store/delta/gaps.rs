//! Pairs of bucket index and count with the gap to the bucket before in place of the index: of ten thousand values most
//! are one byte, and so are their counts.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

pub(super) fn serialize<S: Serializer>(pairs: &[(u32, u64)], to: S) -> Result<S::Ok, S::Error> {
    let mut before = 0;
    to.collect_seq(pairs.iter().map(|&(index, count)| {
        // What is not sorted comes back as it was, too.
        let gap = index.wrapping_sub(before);
        before = index;
        (gap, count)
    }))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(u32, u64)>, D::Error> {
    let mut pairs: Vec<(u32, u64)> = Deserialize::deserialize(from).map_err(D::Error::custom)?;
    let mut index = 0_u32;
    for (gap, _) in &mut pairs {
        index = index.wrapping_add(*gap);
        *gap = index;
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Pairs(#[serde(with = "super")] Vec<(u32, u64)>);

    #[test]
    fn neighbours_take_two_bytes_and_read_back() {
        let pairs = Pairs((20_000..22_000).map(|index| (index, 5)).collect());
        let bytes = postcard::to_allocvec(&pairs).unwrap();
        assert_eq!(bytes.len(), 2 + 4 + 2 * 1_999);
        assert_eq!(postcard::from_bytes::<Pairs>(&bytes), Ok(pairs));
        let odd = Pairs(vec![(7, 1), (3, u64::MAX), (u32::MAX, 0)]);
        let bytes = postcard::to_allocvec(&odd).unwrap();
        assert_eq!(postcard::from_bytes::<Pairs>(&bytes), Ok(odd));
    }
}
