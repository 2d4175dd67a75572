//! What templates may hold, and which page each belongs to.

use std::collections::BTreeSet;

use super::{File, files, hold};

/// Templates that a Rust file names, each with its line.
fn named_templates(file: &File) -> Vec<(usize, String)> {
    file.code()
        .filter_map(|(number, line)| {
            let after = line.split("path = \"").nth(1)?;
            let name = after.split('"').next()?;
            let is_template = [".html", ".svg", ".xml", ".txt", ".md"]
                .iter()
                .any(|end| name.ends_with(end));
            is_template.then(|| (number, name.to_owned()))
        })
        .collect()
}

fn stems_differ(file: &File) -> Vec<String> {
    named_templates(file)
        .into_iter()
        .filter(|(_, template)| File::new(template, "").stem() != file.stem())
        .map(|(number, template)| {
            file.offence(
                number,
                &format!("{template} has another stem than its page"),
            )
        })
        .collect()
}

#[test]
fn a_template_has_the_stem_of_its_page() {
    let made_up = File::new("src/http/flow.rs", r#"#[template(path = "overview.html")]"#);
    hold(stems_differ, made_up, files("src", "rs"));
}

#[test]
fn every_template_is_used() {
    let templates = files("templates", "html");
    let named = files("src", "rs")
        .iter()
        .flat_map(named_templates)
        .map(|(_, name)| name)
        .chain(templates.iter().flat_map(included))
        .collect::<BTreeSet<_>>();
    for template in &templates {
        let name = template.path.trim_start_matches("templates/");
        assert!(named.contains(name), "{} is used nowhere", template.path);
    }
}

/// What a template extends, includes or imports.
fn included(template: &File) -> Vec<String> {
    let mut found = Vec::new();
    for word in ["extends", "include", "import"] {
        for (at, _) in template.text.match_indices(word) {
            let name = template.text[at..].split('"').nth(1).unwrap_or_default();
            found.push(name.to_owned());
        }
    }
    found
}

fn escapes_escaping(file: &File) -> Vec<String> {
    file.text
        .lines()
        .zip(1..)
        .filter_map(|(line, number)| {
            let filters = line.split('|').skip(1).map(str::trim_start);
            let unescaped = filters
                .filter_map(|filter| filter.strip_prefix("safe"))
                .any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
            let what = if unescaped {
                "`|safe` lets stored text become markup"
            } else if line.contains(" style=") {
                "the content security policy allows no style attributes"
            } else {
                return None;
            };
            Some(file.offence(number, what))
        })
        .collect()
}

#[test]
fn templates_escape_everything_and_hold_no_style_attributes() {
    let guarded = || {
        let mut all = files("templates", "html");
        all.extend(files("templates", "svg"));
        all
    };
    let made_up = |text| File::new("templates/flow.html", text);
    hold(escapes_escaping, made_up("{{ name | safe }}"), guarded());
    hold(
        escapes_escaping,
        made_up(r#"<p style="color:red">"#),
        guarded(),
    );
    assert!(escapes_escaping(&made_up("{{ name|safely_cut }}")).is_empty());
}
