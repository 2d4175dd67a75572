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
        assert_alike(request, &answer, &its);
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
            assert_alike(request, &answer, &its);
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

/// Points of a drawing lie where the times of the requests put them, which differ between two servers: so far apart at
/// most, in a drawing some 2,900 wide.
const APART: i64 = 16;
/// The attributes that say where, as they stand before their values.
const PLACES: [&str; 5] = [" x=", " x1=", " x2=", " cx=", " points="];

/// Whether two servers' pages are the same but for where the points of their drawings lie.
fn is_drawn_alike(one: &str, other: &str) -> bool {
    let (one, other): (Vec<&str>, Vec<&str>) =
        (one.split('"').collect(), other.split('"').collect());
    let is_place = |at: usize| at > 0 && PLACES.iter().any(|place| one[at - 1].ends_with(place));
    one.len() == other.len()
        && (0..one.len())
            .all(|at| one[at] == other[at] || is_place(at) && are_near(one[at], other[at]))
}

fn are_near(one: &str, other: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<i64>> {
        text.split([' ', ',']).map(|one| one.parse().ok()).collect()
    };
    match (numbers(one), numbers(other)) {
        (Some(one), Some(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(&other)
                    .all(|(one, other)| (one - other).abs() <= APART)
        }
        _ => false,
    }
}

#[test]
fn points_of_a_drawing_may_lie_a_little_apart_and_nothing_else() {
    let page = |told: &str, x: &str, fill: &str| {
        format!(
            "<p>{told}</p><svg><polyline fill=\"{fill}\" points=\"{x},161 9,9\"/><text x=\"{x}\">9</text></svg>"
        )
    };
    let shown = page("7", "2847", "#1763B0");
    assert!(is_drawn_alike(&shown, &page("7", "2851", "#1763B0")));
    assert!(!is_drawn_alike(&shown, &page("7", "2951", "#1763B0")));
    assert!(!is_drawn_alike(&shown, &page("8", "2847", "#1763B0")));
    assert!(!is_drawn_alike(&shown, &page("7", "2847", "#1763B1")));
    assert!(!is_drawn_alike(&shown, &shown.replace(">9<", ">8<")));
}

/// Two servers' answers are the same.
fn assert_alike(request: &Request, one: &Answer, other: &Answer) {
    let (one, other) = (text(one), text(other));
    if !is_drawn_alike(&one, &other) {
        assert_same(&describe(request), &one, &other);
    }
}

/// Two texts are the same, or the place where they part is shown.
pub(crate) fn assert_same(what: &str, one: &str, other: &str) {
    if one == other {
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
