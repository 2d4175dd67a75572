//! Alerts in Slack, by an incoming webhook and its Block Kit. Slack has no idempotency key, so an answer that got lost
//! on its way to us means the same post twice.

use serde_json::{Value, json};

use super::message::Message;
use crate::wording::names::series_line;
use crate::wording::state::Kind;

/// Slack refuses a section whose text is longer, in characters after escaping.
const SECTION_LIMIT: usize = 3_000;
/// The same for one of a section's fields.
const FIELD_LIMIT: usize = 2_000;

/// The JSON to post for an alert.
pub(super) fn body(message: &Message) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&post(message))
}

fn post(message: &Message) -> Value {
    let sentence = escaped(&message.sentence);
    let headline = headline(message);
    let link = format!("<{}|{sentence}>", escaped(&message.finding_url));
    let mut blocks = vec![section(&format!("{headline}\n*{link}*"))];
    let fields: Vec<Value> = message
        .facts
        .named()
        .into_iter()
        .map(|(name, fact)| text(&format!("*{name}*\n{}", escaped(fact)), FIELD_LIMIT))
        .collect();
    if !fields.is_empty() {
        blocks.push(json!({"type": "section", "fields": fields}));
    }
    if !message.reason.is_empty() {
        blocks.push(section(&escaped(&message.reason)));
    }
    let line = series_line(message.source, &message.metric, &message.labels);
    let mut context = format!(
        "<{}|{}> · {}",
        escaped(&message.flow_url),
        escaped(&message.flow),
        escaped(&line)
    );
    if let Some(owner) = &message.owner {
        context.push_str(" · owner ");
        context.push_str(&escaped(owner));
    }
    blocks.push(json!({"type": "context", "elements": [text(&context, SECTION_LIMIT)]}));
    // The text is what notifications and screen readers get.
    json!({"text": format!("{headline}: {sentence}"), "blocks": blocks})
}

/// "Slow bleed", "Slow bleed, got worse", "Slow bleed, ended by v2.41".
fn headline(message: &Message) -> String {
    let kind = Kind::from_stored(&message.kind).map_or(message.kind.as_str(), |kind| kind.word());
    let ended = message.ended_by.as_deref();
    let happened = match (message.event.as_str(), ended) {
        ("opened", _) => return escaped(kind),
        ("worse", _) => "got worse".to_owned(),
        ("ended", Some(release)) => format!("ended by {release}"),
        ("reopened", _) => "shows again".to_owned(),
        ("withdrawn", _) => "withdrawn: newer data no longer show it".to_owned(),
        (event, _) => event.to_owned(),
    };
    escaped(&format!("{kind}, {happened}"))
}

fn section(markdown: &str) -> Value {
    json!({"type": "section", "text": text(markdown, SECTION_LIMIT)})
}

/// Marked-up text. Verbatim: Slack makes no links, channels or people of what looks like them.
fn text(markdown: &str, limit: usize) -> Value {
    let cut = markdown.char_indices().nth(limit - 1).map(|(at, _)| at);
    let shown = match cut {
        Some(at) if markdown.chars().count() > limit => {
            format!("{}…", &markdown[..whole(markdown, at)])
        }
        _ => markdown.to_owned(),
    };
    json!({"type": "mrkdwn", "text": shown, "verbatim": true})
}

/// The last place up to `at` where neither a link nor an escaped character is torn.
fn whole(markdown: &str, at: usize) -> usize {
    let kept = &markdown[..at];
    let torn = |open: char, close: char| {
        kept.rfind(open)
            .filter(|from| !kept[*from..].contains(close))
    };
    let cuts = [torn('&', ';'), torn('<', '>')];
    cuts.into_iter().flatten().min().unwrap_or(at)
}

/// Text without meaning to Slack: the three characters that its documentation names.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::notifier::message::tests::bleed;
    use crate::wording::number::NO_BREAK_SPACE;

    fn lines(message: &Message) -> String {
        let post = post(message);
        let mut lines = vec![post["text"].as_str().unwrap().to_owned()];
        for block in post["blocks"].as_array().unwrap() {
            let texts = block
                .get("text")
                .into_iter()
                .chain(
                    block
                        .get("fields")
                        .and_then(Value::as_array)
                        .into_iter()
                        .flatten(),
                )
                .chain(
                    block
                        .get("elements")
                        .and_then(Value::as_array)
                        .into_iter()
                        .flatten(),
                );
            lines.extend(texts.map(|text| text["text"].as_str().unwrap().to_owned()));
        }
        lines.join("\n").replace(NO_BREAK_SPACE, " ")
    }

    #[test]
    fn an_alert_shows_sentence_facts_reason_flow_and_owner() {
        insta::assert_snapshot!(lines(&bleed("opened")));
    }

    #[test]
    fn the_end_is_told_with_credit() {
        let mut message = bleed("ended");
        message.ended_by = Some("v2.41".to_owned());
        assert_eq!(headline(&message), "Slow bleed, ended by v2.41");
        assert_eq!(headline(&bleed("worse")), "Slow bleed, got worse");
    }

    #[test]
    fn names_cannot_call_channels_or_make_links() {
        let mut message = bleed("opened");
        message.sentence = "<!channel> a & b".to_owned();
        message.flow = "<https://evil.example|x>".to_owned();
        message.owner = Some("<@U1>".to_owned());
        let lines = lines(&message);
        for hostile in ["<!channel>", "<https://evil", "<@U1>"] {
            assert!(!lines.contains(hostile), "{lines}");
        }
        assert!(lines.contains("&lt;!channel&gt; a &amp; b"));
        let post = post(&message).to_string();
        assert_eq!(
            post.matches("mrkdwn").count(),
            post.matches(r#""verbatim":true"#).count()
        );
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters_and_links() {
        let cut = |markdown: &str, limit: usize| {
            text(markdown, limit)["text"].as_str().unwrap().to_owned()
        };
        assert_eq!(cut("ééé", 3), "ééé");
        assert_eq!(cut("éééé", 3), "éé…");
        assert_eq!(cut("a &amp; b", 5), "a …");
        assert_eq!(cut("see <https://x|y> z", 10), "see …");
        assert_eq!(
            cut("see <https://x|y> z and more", 20),
            "see <https://x|y> z…"
        );
    }
}
