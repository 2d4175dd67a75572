//! What may differ between two servers that were told the same: made-up ids, times at which they heard, the ends of their
//! tokens' ids. Ids become numbers in the order in which they first appear, so that what refers to them is compared too.

use std::collections::HashMap;

use jiff::Timestamp;
use longwatch::clock::now_us;

/// Hexadecimal digits of an id.
const ID_DIGITS: usize = 32;

/// What one server has told so far that the other can't know.
pub(crate) struct Mask {
    began_us: i64,
    words: Vec<(String, String)>,
    numbers: HashMap<String, usize>,
    ids: Vec<String>,
}

impl Mask {
    pub(crate) fn new() -> Mask {
        Mask {
            // What is told to the second lies before it.
            began_us: now_us() - 1_000_000,
            words: Vec::new(),
            numbers: HashMap::new(),
            ids: Vec::new(),
        }
    }

    /// Shows a word of this server under a name that both share.
    pub(crate) fn name(&mut self, word: &str, name: &str) {
        self.words.push((word.to_owned(), name.to_owned()));
    }

    /// A text as both servers should tell it.
    pub(crate) fn hide(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (word, name) in &self.words {
            text = text.replace(word, name);
        }
        let mut hidden = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
            hidden.push_str(&rest[..at]);
            rest = &rest[at..];
            let moment = moment(rest).filter(|(us, _)| self.is_of_now(*us));
            let length = match moment {
                Some((_, length)) => length,
                None => rest
                    .find(|c: char| !c.is_ascii_alphanumeric())
                    .unwrap_or(rest.len()),
            };
            let (word, after) = rest.split_at(length);
            match moment {
                Some(_) => hidden.push_str("(now)"),
                None => hidden.push_str(&self.hide_word(word)),
            }
            rest = after;
        }
        hidden.push_str(rest);
        without_words_of_now(&hidden)
    }

    fn hide_word(&mut self, word: &str) -> String {
        if word.parse().is_ok_and(|us| self.is_of_now(us)) {
            return "(now)".to_owned();
        }
        let made_ms = word.get(..12).filter(|_| word.len() == ID_DIGITS);
        let made_ms = made_ms.and_then(|digits| i64::from_str_radix(digits, 16).ok());
        // An id that is a hash says the same on both servers, and is compared as it is.
        if !made_ms.is_some_and(|ms| self.is_of_now(ms * 1_000)) {
            return word.to_owned();
        }
        let number = *self.numbers.entry(word.to_owned()).or_insert_with(|| {
            self.ids.push(word.to_owned());
            self.ids.len() - 1
        });
        format!("(id {number})")
    }

    fn is_of_now(&self, us: i64) -> bool {
        (self.began_us..=now_us() + 1_000).contains(&us)
    }

    /// The text that this server knows for a masked one.
    pub(crate) fn show(&self, masked: &str) -> String {
        let mut shown = String::with_capacity(masked.len());
        let mut parts = masked.split("(id ");
        shown.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let (number, rest) = part.split_once(')').unwrap();
            shown.push_str(&self.ids[number.parse::<usize>().unwrap()]);
            shown.push_str(rest);
        }
        shown
    }
}

/// A page without what it says of times of now in words: a minute may have ended between the two servers.
fn without_words_of_now(page: &str) -> String {
    let mut parts = page.split("datetime=\"(now)\">");
    let mut without = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        without.push_str("datetime=\"(now)\">");
        without.push_str(part.find('<').map_or(part, |end| &part[end..]));
    }
    without
}

/// The moment that a text begins with, and its length.
fn moment(text: &str) -> Option<(i64, usize)> {
    let is_date = |at: usize, c: u8| match at {
        4 | 7 => c == b'-',
        10 => c == b'T',
        _ => c.is_ascii_digit(),
    };
    let date = text.as_bytes().get(..11)?;
    if !date.iter().enumerate().all(|(at, c)| is_date(at, *c)) {
        return None;
    }
    let length = text.find('Z')? + 1;
    let moment: Timestamp = text.get(..length)?.parse().ok()?;
    Some((moment.as_microsecond(), length))
}

#[test]
fn what_was_made_now_is_masked_and_found_again_and_the_rest_stays() {
    let mut mask = Mask::new();
    let (id, hash) = (
        longwatch::store::Id::new().to_string(),
        longwatch::store::Id::of(&["series"]).to_string(),
    );
    let now = Timestamp::from_microsecond(now_us()).unwrap();
    let text = format!("a {id} at {now}, of {hash} since 2020-01-02T03:04:05Z; {id}");
    let masked = format!("a (id 0) at (now), of {hash} since 2020-01-02T03:04:05Z; (id 0)");
    assert_eq!(mask.hide(&text), masked);
    assert_eq!(mask.show("x/(id 0)/y"), format!("x/{id}/y"));
}
