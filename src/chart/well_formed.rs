//! Whatever a release, flow or reason is called, a drawing is well-formed XML without script.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::calendar::{Calendar, Day, Month};
use super::mix::{MixBar, MixStrip};
use super::trend::{EpochMark, Trend, TrendPanel, TrendPoint};
use super::waterfall::{Share, Waterfall};
use crate::wording::moment::DAY_US;
use crate::wording::quantity::Quantity;
use crate::wording::unit::Unit;

/// Names that attackers and tools send: markup, quotes, control characters, right-to-left marks, emoji.
fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\\x00-\\x1f<>&\"'/=a-z ]{0,40}",
        Just("</text><script>alert(1)</script>".to_owned()),
        Just("\" onload=\"alert(1)".to_owned()),
        Just("]]><!--&#0;\u{0}\u{fffe}\u{202e}".to_owned()),
    ]
}

/// A strict little reader: every tag closes, every attribute is quoted, nothing but known names, no handler.
fn check(svg: &str) -> Result<(), String> {
    const TAGS: [&str; 9] = [
        "svg", "title", "desc", "line", "polyline", "polygon", "rect", "circle", "text",
    ];
    let mut open: Vec<String> = Vec::new();
    let mut rest = svg;
    if let Some(bad) = svg.chars().find(|c| !super::pen::is_xml(*c)) {
        return Err(format!("{bad:?} is not allowed in XML"));
    }
    while let Some(start) = rest.find('<') {
        check_text(&rest[..start])?;
        let end = rest[start..].find('>').ok_or("a tag does not end")? + start;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop().as_deref() != Some(name) {
                return Err(format!("{name} closes nothing"));
            }
            continue;
        }
        let is_empty = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let name = tag.split_whitespace().next().unwrap_or_default();
        if !TAGS.contains(&name) {
            return Err(format!("unknown tag {name}"));
        }
        check_attributes(tag[name.len()..].trim())?;
        if !is_empty {
            open.push(name.to_owned());
        }
    }
    check_text(rest)?;
    if open.is_empty() {
        Ok(())
    } else {
        Err(format!("{open:?} stay open"))
    }
}

fn check_text(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('&') {
        let entity = text[at + 1..].split(';').next().unwrap_or_default();
        if !["lt", "gt", "amp", "quot", "apos", "#39"].contains(&entity) {
            return Err(format!("unknown entity {entity:?}"));
        }
    }
    Ok(())
}

fn check_attributes(mut rest: &str) -> Result<(), String> {
    while !rest.is_empty() {
        let (name, value) = rest
            .split_once("=\"")
            .ok_or(format!("unquoted attribute in {rest:?}"))?;
        let (value, after) = value.split_once('"').ok_or("an attribute does not end")?;
        let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !is_plain || name.starts_with("on") || name == "style" || name == "href" {
            return Err(format!("attribute {name:?}"));
        }
        check_text(value)?;
        rest = after.trim_start();
    }
    Ok(())
}

fn count(value: f64) -> Quantity {
    Quantity::new(value, value - 1.0, value + 1.0, Unit::Count)
}

#[test]
fn the_reader_sees_a_made_up_offence() {
    for bad in [
        "<svg><g/></svg>",
        "<svg onload=\"x\"/>",
        "<svg>",
        "<text>&nbsp;</text>",
        "<svg x=1/>",
        "a\u{0}",
    ] {
        assert!(check(bad).is_err(), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_name_gives_well_formed_xml_without_script(name in any_name()) {
        let points = (0..20).map(|k| TrendPoint { at_us: k * DAY_US, value: Some(count(k as f64)), is_provisional: false }).collect();
        let trend = Trend {
            id: name.clone(),
            title: name.clone(),
            unit: Unit::Count,
            from_us: 0,
            until_us: 20 * DAY_US,
            main: TrendPanel { name: name.clone(), points, limits: vec![], ceiling: None, now: None },
            high: None,
            releases: (0..20).map(|k| (k * DAY_US, name.clone())).collect(),
            epochs: vec![EpochMark { at_us: 5 * DAY_US, reason: name.clone() }],
            gaps: vec![(8 * DAY_US, 9 * DAY_US)],
            bleed: None,
            forecast: None,
            steps: vec![],
        };
        let waterfall = Waterfall {
            id: name.clone(),
            title: name.clone(),
            shares: vec![Share { release: name.clone(), note: name.clone(), change: count(5.0) }],
            others: None,
            total: count(5.0),
            higher_is_better: None,
        };
        let bar = MixBar { name: name.clone(), segments: vec![(name.clone(), 1.0)] };
        let mix = MixStrip { id: name.clone(), title: name.clone(), reference: bar.clone(), now: bar };
        let months = vec![Month { name: name.clone(), days: vec![Day::Within, Day::Missing] }];
        let calendar = Calendar { id: name.clone(), title: name.clone(), months };
        for svg in [trend.draw(), waterfall.draw(), mix.draw(), calendar.draw()] {
            prop_assert_eq!(check(svg.as_str()), Ok(()));
        }
    }
}
