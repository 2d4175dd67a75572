//! Two servers that are told the same.

use serde_json::Value;

use super::arm::{Answer, Arm, Request};
use crate::ground::databases;

/// How often two readings are compared before they differ: a minute may end between the two.
const LOOKS: usize = 3;

/// A server over SQLite and one over PostgreSQL.
pub(crate) struct Pair {
    pub(crate) arms: [Arm; 2],
}

impl Pair {
    pub(crate) async fn start() -> Pair {
        let [sqlite, postgres] = <[_; 2]>::try_from(databases().await).ok().unwrap();
        Pair {
            arms: [Arm::start(sqlite).await, Arm::start(postgres).await],
        }
    }

    /// Sends a request to both, which must answer the same.
    pub(crate) async fn ask(&mut self, request: &Request, folds: bool) -> Answer {
        let [one, other] = &mut self.arms;
        let (answer, its) = tokio::join!(one.ask(request, folds), other.ask(request, folds));
        assert_same(&describe(request), &text(&answer), &text(&its));
        assert!(answer.status < 500, "{}: {answer:?}", describe(request));
        answer
    }

    /// Reads something of both, which must tell the same, and notes it.
    pub(crate) async fn read(
        &mut self,
        request: &Request,
        told: &mut Vec<(String, String)>,
    ) -> Value {
        let mut looks = 1;
        let answer = loop {
            let [one, other] = &mut self.arms;
            let (answer, its) = tokio::join!(one.ask(request, false), other.ask(request, false));
            if answer != its && looks < LOOKS {
                looks += 1;
                continue;
            }
            assert_same(&describe(request), &text(&answer), &text(&its));
            break answer;
        };
        assert!(answer.status < 500, "{}: {answer:?}", describe(request));
        told.push((request.path.clone(), text(&answer)));
        answer.json()
    }

    /// What an export of either holds must be the same.
    pub(crate) async fn export(&mut self) {
        let [one, other] = &mut self.arms;
        let (one, other) = (one.export().await, other.export().await);
        assert_same("export", &one, &other);
    }

    pub(crate) async fn fold(&self) {
        tokio::join!(self.arms[0].fold(), self.arms[1].fold());
    }

    pub(crate) async fn close_page_views(&self) {
        let [one, other] = &self.arms;
        tokio::join!(one.close_page_views(), other.close_page_views());
    }

    pub(crate) async fn judge(&self) {
        tokio::join!(self.arms[0].judge(), self.arms[1].judge());
    }

    pub(crate) async fn restart(&mut self) {
        for arm in &mut self.arms {
            arm.restart().await;
        }
    }
}

/// A request in a line.
pub(crate) fn describe(request: &Request) -> String {
    let body: String = String::from_utf8_lossy(&request.body)
        .chars()
        .take(400)
        .collect();
    let path: String = request.path.chars().take(300).collect();
    let headers: Vec<String> = request
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.chars().take(60).collect::<String>()))
        .collect();
    format!(
        "{} {path} by {:?} with {headers:?} {body:?}",
        request.method, request.who
    )
}

fn text(answer: &Answer) -> String {
    format!("{} {}\n{}", answer.status, answer.kind, answer.body)
}

/// A drawing's points lie where the times of the requests put them, which differ between two servers: so far apart at most,
/// in a drawing some 2,900 wide.
const APART: i64 = 16;

/// Whether two pages are the same but for where the points of their drawings lie.
fn is_drawn_alike(one: &str, other: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        let mut parts = vec![String::new()];
        let mut was_digit = false;
        for one in text.chars() {
            if one.is_ascii_digit() != was_digit {
                was_digit = !was_digit;
                parts.push(String::new());
            }
            parts.last_mut().unwrap().push(one);
        }
        parts
    };
    let (one, other) = (parts(one), parts(other));
    let mut is_drawing = false;
    one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| {
        let opens = one.rfind("<svg");
        let closes = one.rfind("</svg");
        if opens.is_some() || closes.is_some() {
            is_drawing = opens > closes;
        }
        let places = (one.parse::<i64>(), other.parse::<i64>());
        one == other
            || matches!(places, (Ok(one), Ok(other)) if is_drawing && (one - other).abs() <= APART)
    })
}

#[test]
fn points_of_a_drawing_may_lie_a_little_apart_and_nothing_else() {
    let page =
        |told: &str, x: &str| format!("<p>{told}</p><svg><text x=\"{x}\">9</text></svg><p>1</p>");
    assert!(is_drawn_alike(&page("7", "2847"), &page("7", "2851")));
    assert!(!is_drawn_alike(&page("7", "2847"), &page("7", "2951")));
    assert!(!is_drawn_alike(&page("7", "2847"), &page("8", "2847")));
    assert!(!is_drawn_alike(
        &page("7", "2847"),
        &page("7 or so", "2847")
    ));
}

/// Two texts are the same, or the place where they part is shown.
pub(crate) fn assert_same(what: &str, one: &str, other: &str) {
    if one == other || is_drawn_alike(one, other) {
        return;
    }
    let same = one
        .bytes()
        .zip(other.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let around = |text: &str| {
        let from = same.saturating_sub(300);
        String::from_utf8_lossy(&text.as_bytes()[from..(same + 500).min(text.len())]).into_owned()
    };
    panic!(
        "{what}\nfrom byte {same} on:\n--- one:\n{}\n--- other:\n{}\n",
        around(one),
        around(other)
    );
}
