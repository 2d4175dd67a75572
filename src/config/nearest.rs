//! The known name that a mistyped one most likely meant.

/// The candidate closest to `name`, if it is close enough to be a slip rather than another word.
///
/// Distance is the number of single-character edits, neighbouring letters swapped counting as one
/// (optimal string alignment); at most a third of the name's length is taken for a slip.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| {
            (
                distance(&name.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(edits, _)| *edits <= limit)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// `did you mean ...?`, or the whole choice where nothing is close.
pub(super) fn suggestion<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    match nearest(name, known.clone()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => {
            let all: Vec<_> = known.into_iter().map(|word| format!("`{word}`")).collect();
            if all.is_empty() {
                "none is declared".to_owned()
            } else {
                format!("known here: {}", all.join(", "))
            }
        }
    }
}

fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest, suggestion};

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["percentile", "limit", "window"];
        assert_eq!(nearest("percentil", known), Some("percentile"));
        assert_eq!(nearest("lmiit", known), Some("limit"));
        assert_eq!(nearest("colour", known), None);
    }

    #[test]
    fn a_swap_of_neighbours_is_one_edit() {
        assert_eq!(distance("lmiit", "limit"), 1);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn the_choice_is_listed_where_nothing_is_close() {
        assert_eq!(suggestion("zzz", ["a", "b"]), "known here: `a`, `b`");
    }
}
