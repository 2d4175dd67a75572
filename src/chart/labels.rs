//! Moving labels apart: each stays as near to its wish as the others allow.

/// A label's wish: the middle where it wants to be, and how much room it takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wish {
    pub(super) middle: f64,
    pub(super) length: f64,
}

/// The middles of all labels, in the order given, so that none overlap and all lie within `[low, high]` where they fit.
///
/// Overlapping neighbours form a block that is centred on the mean of its wishes; blocks that meet are merged.
pub(super) fn moved_apart(wishes: &[Wish], low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wishes.len()).collect();
    order.sort_by(|a, b| wishes[*a].middle.total_cmp(&wishes[*b].middle));
    let mut blocks: Vec<Block> = Vec::new();
    for index in order {
        blocks.push(Block {
            start: 0.0,
            length: wishes[index].length,
            members: vec![index],
        });
        settle(&mut blocks, wishes, low, high);
    }
    let mut middles = vec![0.0; wishes.len()];
    for block in &blocks {
        let mut at = block.start;
        for &index in &block.members {
            middles[index] = at + wishes[index].length / 2.0;
            at += wishes[index].length;
        }
    }
    middles
}

struct Block {
    start: f64,
    length: f64,
    members: Vec<usize>,
}

fn settle(blocks: &mut Vec<Block>, wishes: &[Wish], low: f64, high: f64) {
    while let Some(mut last) = blocks.pop() {
        let mut before = 0.0;
        let mut start = 0.0;
        for &index in &last.members {
            start += wishes[index].middle - wishes[index].length / 2.0 - before;
            before += wishes[index].length;
        }
        last.start = (start / last.members.len() as f64)
            .min(high - last.length)
            .max(low);
        match blocks.pop() {
            Some(mut previous) if previous.start + previous.length > last.start => {
                previous.length += last.length;
                previous.members.append(&mut last.members);
                blocks.push(previous);
            }
            Some(previous) => {
                blocks.extend([previous, last]);
                return;
            }
            None => {
                blocks.push(last);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn labels_with_room_stay_where_they_are() {
        let wishes = [
            Wish {
                middle: 80.0,
                length: 10.0,
            },
            Wish {
                middle: 20.0,
                length: 10.0,
            },
        ];
        assert_eq!(moved_apart(&wishes, 0.0, 100.0), [80.0, 20.0]);
    }

    #[test]
    fn two_on_one_spot_share_it() {
        let wish = Wish {
            middle: 50.0,
            length: 10.0,
        };
        assert_eq!(moved_apart(&[wish, wish], 0.0, 100.0), [45.0, 55.0]);
    }

    proptest! {
        #[test]
        fn none_overlap_and_none_leave(middles in prop::collection::vec(-50.0..150.0f64, 0..8)) {
            let wishes: Vec<Wish> = middles.iter().map(|&middle| Wish { middle, length: 12.0 }).collect();
            let mut placed = moved_apart(&wishes, 0.0, 100.0);
            placed.sort_by(f64::total_cmp);
            for pair in placed.windows(2) {
                prop_assert!(pair[1] - pair[0] >= 12.0 - 1e-9);
            }
            for middle in placed {
                prop_assert!((6.0 - 1e-9..=94.0 + 1e-9).contains(&middle));
            }
        }
    }
}
