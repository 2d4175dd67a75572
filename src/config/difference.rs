//! What applying a file would change, in words.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::flow::{FlowMatch, source_word};
use super::{Budget, Config, Gate, Period, Route};

/// What happens to a declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is new.
    Add,
    /// It says something else.
    Change,
    /// It is gone.
    Remove,
}

/// One declaration's change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What happens.
    pub action: Action,
    /// The kind of declaration, as the file's keys name it.
    pub kind: &'static str,
    /// Its name; empty for the project itself.
    pub name: String,
    /// The change as a sentence without a full stop.
    pub text: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What must change to come from `old` (nothing where none) to `new`, in the order of the file's kinds.
pub fn difference(old: Option<&Config>, new: &Config) -> Vec<Change> {
    let standard = Config::default();
    let (before, after) = (facts(old.unwrap_or(&standard)), facts(new));
    let mut changes = Vec::new();
    for fact in &after {
        match before.iter().find(|earlier| earlier.is_about(fact)) {
            None => changes.push(fact.change(Action::Add, format!("adds {fact}"))),
            Some(earlier) => changes.extend(earlier.becomes(fact)),
        }
    }
    for fact in before
        .iter()
        .filter(|fact| !after.iter().any(|later| later.is_about(fact)))
    {
        let verb = if fact.kind == "flow" {
            "hides"
        } else {
            "removes"
        };
        let consequence = if fact.kind == "flow" {
            "; its data stay"
        } else {
            ""
        };
        changes.push(fact.change(
            Action::Remove,
            format!("{verb} {}{consequence}", fact.title()),
        ));
    }
    changes.extend(old.and_then(|old| reordered(old, new)));
    changes
}

/// The first match wins, so that the order of flows means something.
fn reordered(old: &Config, new: &Config) -> Option<Change> {
    let names = |config: &Config, other: &Config| -> Vec<String> {
        config
            .flows
            .iter()
            .filter(|flow| other.declares_flow(&flow.name))
            .map(|flow| flow.name.clone())
            .collect()
    };
    let order = names(new, old);
    (order != names(old, new)).then(|| Change {
        action: Action::Change,
        kind: "flow",
        name: String::new(),
        text: format!("matches flows in another order: {}", order.join(", ")),
    })
}

/// What a declaration says, field by field.
struct Fact {
    kind: &'static str,
    name: String,
    fields: Vec<(&'static str, String)>,
}

impl Fact {
    fn is_about(&self, other: &Self) -> bool {
        self.kind == other.kind && self.name == other.name
    }

    fn title(&self) -> String {
        if self.name.is_empty() {
            self.kind.to_owned()
        } else {
            format!("{} `{}`", self.kind, self.name)
        }
    }

    fn change(&self, action: Action, text: String) -> Change {
        Change {
            action,
            kind: self.kind,
            name: self.name.clone(),
            text,
        }
    }

    fn becomes(&self, later: &Self) -> Option<Change> {
        let said = |text: &str| {
            if text.is_empty() {
                "none".to_owned()
            } else {
                text.to_owned()
            }
        };
        let fields: Vec<String> = self
            .fields
            .iter()
            .zip(&later.fields)
            .filter(|(before, after)| before != after)
            .map(|((field, before), (_, after))| {
                format!("{field} {} → {}", said(before), said(after))
            })
            .collect();
        (!fields.is_empty()).then(|| {
            later.change(
                Action::Change,
                format!("changes {}: {}", later.title(), fields.join("; ")),
            )
        })
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title())?;
        let said: Vec<String> = self
            .fields
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(field, value)| format!("{field} {value}"))
            .collect();
        if said.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", said.join("; "))
        }
    }
}

fn facts(config: &Config) -> Vec<Fact> {
    let fact = |kind, name: &str, fields| Fact {
        kind,
        name: name.to_owned(),
        fields,
    };
    let mut facts = vec![project(config)];
    facts.extend(config.flows.iter().map(|flow| {
        let matches: Vec<String> = flow.matches.iter().map(rule).collect();
        let key = if flow.key { "yes" } else { "" };
        fact(
            "flow",
            &flow.name,
            vec![
                ("key", key.to_owned()),
                ("owner", flow.owner.clone().unwrap_or_default()),
                ("matches", matches.join(", ")),
            ],
        )
    }));
    facts.extend(config.aliases.iter().map(|alias| {
        fact(
            "series_alias",
            &alias.from,
            vec![("goes on as", alias.to.clone())],
        )
    }));
    facts.extend(config.metrics.iter().map(|metric| {
        fact(
            "metric",
            &metric.name,
            vec![(
                "direction",
                format!("{:?}", metric.direction).to_lowercase(),
            )],
        )
    }));
    facts.extend(config.owners.iter().map(|owner| {
        fact(
            "owner",
            &owner.name,
            vec![("routes", owner.routes.join(", "))],
        )
    }));
    facts.extend(
        config
            .budgets
            .iter()
            .map(|budget| fact("budget", &budget.id, budget_fields(budget))),
    );
    facts.extend(config.references.iter().map(|reference| {
        fact(
            "reference",
            &reference.flow,
            vec![("release", reference.release.clone())],
        )
    }));
    facts.extend(
        config
            .gates
            .iter()
            .map(|gate| fact("gate", &gate.name, gate_fields(gate))),
    );
    facts.extend(config.waivers.iter().map(|waiver| {
        let fields = vec![
            ("ceiling", waiver.ceiling.to_string()),
            ("owner", waiver.owner.clone()),
            ("reason", waiver.reason.clone()),
        ];
        fact(
            "waiver",
            &format!("{} until {}", waiver.budget, waiver.until),
            fields,
        )
    }));
    facts.extend(
        config
            .routes
            .iter()
            .map(|route| fact("route", &route.name, route_fields(route))),
    );
    facts
}

fn project(config: &Config) -> Fact {
    let project = &config.project;
    let fields = vec![
        ("name", project.name.clone().unwrap_or_default()),
        ("main branch", project.main_branch.clone()),
        ("series limit", project.limits.series.to_string()),
        (
            "limit of undeclared RUM flows",
            project.limits.undeclared_rum_flows.to_string(),
        ),
        ("runs kept", kept(project.retention.runs)),
        ("days kept", kept(project.retention.days)),
    ];
    Fact {
        kind: "project",
        name: String::new(),
        fields,
    }
}

fn kept(period: Option<Period>) -> String {
    period.map_or_else(|| "for ever".to_owned(), |period| period.to_string())
}

fn rule(rule: &FlowMatch) -> String {
    let source = rule
        .source
        .map(|source| format!("{} ", source_word(source)))
        .unwrap_or_default();
    let metric = rule
        .metric
        .as_ref()
        .map(|metric| format!(" {metric}"))
        .unwrap_or_default();
    format!("{source}`{}`{metric}{}", rule.name, labels(&rule.labels))
}

fn labels(labels: &BTreeMap<String, String>) -> String {
    labels
        .iter()
        .map(|(name, value)| format!(" {name}={value}"))
        .collect()
}

fn budget_fields(budget: &Budget) -> Vec<(&'static str, String)> {
    let series = format!(
        "{} {} of {}{}",
        source_word(budget.source),
        budget.metric,
        budget.flow,
        labels(&budget.labels)
    );
    let rises = budget
        .rises
        .map(|(to, on)| format!("to {} on {on}", to.as_str()))
        .unwrap_or_default();
    vec![
        ("for", series),
        (
            "percentile",
            budget
                .percentile
                .map(|percentile| format!("P{percentile}"))
                .unwrap_or_default(),
        ),
        ("limit", budget.limit.to_string()),
        ("window", budget.window.as_str().to_owned()),
        ("enforcement", budget.enforcement.as_str().to_owned()),
        ("rises", rises),
        ("owner", budget.owner.clone().unwrap_or_default()),
    ]
}

fn gate_fields(gate: &Gate) -> Vec<(&'static str, String)> {
    vec![
        ("flows", gate.flows.join(", ")),
        ("margin", gate.margin.to_string()),
        (
            "minimum",
            gate.minimum
                .map(|minimum| minimum.to_string())
                .unwrap_or_default(),
        ),
        ("confidence", gate.confidence.to_string()),
        ("fresh", gate.fresh.to_string()),
        ("on inconclusive", gate.on_inconclusive.as_str().to_owned()),
    ]
}

fn route_fields(route: &Route) -> Vec<(&'static str, String)> {
    vec![
        ("kind", route.kind.as_str().to_owned()),
        ("address from", route.url_env.clone().unwrap_or_default()),
        ("secret from", route.secret_env.clone().unwrap_or_default()),
    ]
}
