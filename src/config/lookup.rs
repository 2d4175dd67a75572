//! Questions that the service asks of a project's declarations.

use std::collections::BTreeMap;

use collectors::report::{Direction, Source};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::flow::source_word;
use super::{Budget, Config, Flow, Gate, Reference, Route, Waiver};

/// The UTC day of a time in microseconds since the epoch; times beyond the calendar give its first or last day.
pub fn utc_date(time_us: i64) -> Date {
    match jiff::Timestamp::from_microsecond(time_us) {
        Ok(time) => time.to_zoned(TimeZone::UTC).date(),
        Err(_) if time_us < 0 => Date::MIN,
        Err(_) => Date::MAX,
    }
}

impl Config {
    /// The flow of a series, by the tool's own name for it: the first match in file order, else the name itself.
    /// Ask [`Config::alias`] first.
    pub fn flow_for<'a>(
        &'a self,
        source: Source,
        name: &'a str,
        metric: &str,
        labels: &BTreeMap<String, String>,
    ) -> &'a str {
        let holds = |flow: &&Flow| {
            flow.matches
                .iter()
                .any(|rule| rule.holds(source, name, metric, labels))
        };
        self.flows
            .iter()
            .find(holds)
            .map_or(name, |flow| &flow.name)
    }

    /// The name under which a renamed series goes on; the name itself where it was not renamed.
    pub fn alias<'a>(&'a self, source: Source, name: &'a str) -> &'a str {
        let prefix = source_word(source);
        let bare = |written: &'a str| {
            written
                .strip_prefix(prefix)
                .and_then(|rest| rest.strip_prefix('/'))
        };
        for alias in &self.aliases {
            if alias.from == name {
                return &alias.to;
            }
            if bare(&alias.from) == Some(name) {
                return bare(&alias.to).unwrap_or(&alias.to);
            }
        }
        name
    }

    /// Whether the file declares the flow.
    pub fn declares_flow(&self, flow: &str) -> bool {
        self.flow(flow).is_some()
    }

    /// The flow's declaration.
    pub fn flow(&self, flow: &str) -> Option<&Flow> {
        self.flows.iter().find(|declared| declared.name == flow)
    }

    /// Whether the flow is declared a key flow.
    pub fn is_key(&self, flow: &str) -> bool {
        self.flow(flow).is_some_and(|declared| declared.key)
    }

    /// The direction declared for a metric, if any.
    pub fn direction_of(&self, metric: &str) -> Option<Direction> {
        self.metrics
            .iter()
            .find(|declared| declared.name == metric)
            .map(|declared| declared.direction)
    }

    /// The budgets that bound the series with this identity, in file order.
    pub fn budgets_for(
        &self,
        flow: &str,
        source: Source,
        metric: &str,
        labels: &BTreeMap<String, String>,
    ) -> Vec<&Budget> {
        self.budgets
            .iter()
            .filter(|budget| budget.covers(flow, source, metric, labels))
            .collect()
    }

    /// The budget with that id.
    pub fn budget(&self, id: &str) -> Option<&Budget> {
        self.budgets.iter().find(|budget| budget.id == id)
    }

    /// Who answers for a flow, if the file says so.
    pub fn owner_of(&self, flow: &str) -> Option<&str> {
        self.flow(flow)?.owner.as_deref()
    }

    /// Who answers for a budget: its own owner, else its flow's.
    pub fn budget_owner<'a>(&'a self, budget: &'a Budget) -> Option<&'a str> {
        budget
            .owner
            .as_deref()
            .or_else(|| self.owner_of(&budget.flow))
    }

    /// The routes of an owner, in the order of its `routes`; none for an owner that is not declared.
    pub fn routes_of(&self, owner: &str) -> Vec<&Route> {
        let names = self
            .owners
            .iter()
            .find(|declared| declared.name == owner)
            .map_or(&[][..], |declared| &declared.routes);
        names.iter().filter_map(|name| self.route(name)).collect()
    }

    /// The route with that name.
    pub fn route(&self, name: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.name == name)
    }

    /// The gate with that name.
    pub fn gate(&self, name: &str) -> Option<&Gate> {
        self.gates.iter().find(|gate| gate.name == name)
    }

    /// The pinned release of a flow, if any.
    pub fn reference_of(&self, flow: &str) -> Option<&Reference> {
        self.references
            .iter()
            .find(|reference| reference.flow == flow)
    }

    /// The waiver that holds for a budget on a UTC day; of several, the one that ends first.
    pub fn waiver_for(&self, budget: &str, day: Date) -> Option<&Waiver> {
        let holding = self
            .waivers
            .iter()
            .filter(|waiver| waiver.budget == budget && day <= waiver.until);
        holding.min_by_key(|waiver| waiver.until)
    }
}
