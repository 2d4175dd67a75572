//! What must hold between the parts of a file: names declared once, and names that are used declared.

use std::collections::BTreeSet;

use super::Config;
use super::error::ConfigError;
use super::flow::chain_end;
use super::nearest::{nearest, suggestion};
use super::table::Table;

type Checked = Result<(), ConfigError>;

impl Config {
    /// Errs at the first reference that leads nowhere or name that is declared twice.
    pub(super) fn check(&self, root: &Table<'_>) -> Checked {
        once(
            root,
            "flow",
            "name",
            self.flows.iter().map(|flow| flow.name.as_str()),
        )?;
        once(
            root,
            "series_alias",
            "from",
            self.aliases.iter().map(|alias| alias.from.as_str()),
        )?;
        once(
            root,
            "metric",
            "name",
            self.metrics.iter().map(|metric| metric.name.as_str()),
        )?;
        once(
            root,
            "owner",
            "name",
            self.owners.iter().map(|owner| owner.name.as_str()),
        )?;
        once(
            root,
            "budget",
            "id",
            self.budgets.iter().map(|budget| budget.id.as_str()),
        )?;
        once(
            root,
            "reference",
            "flow",
            self.references
                .iter()
                .map(|reference| reference.flow.as_str()),
        )?;
        once(
            root,
            "gate",
            "name",
            self.gates.iter().map(|gate| gate.name.as_str()),
        )?;
        once(
            root,
            "route",
            "name",
            self.routes.iter().map(|route| route.name.as_str()),
        )?;
        self.check_aliases(root)?;
        self.check_routes(root)?;
        self.check_gates(root)?;
        self.check_waivers(root)
    }

    fn check_aliases(&self, root: &Table<'_>) -> Checked {
        for (table, alias) in root.tables("series_alias")?.iter().zip(&self.aliases) {
            if chain_end(&self.aliases, &alias.from).is_none() {
                return Err(table.fault(
                    "to",
                    format!("`{}` leads back to itself", alias.from),
                    "an alias leads from the old name to the new one",
                ));
            }
        }
        Ok(())
    }

    fn check_routes(&self, root: &Table<'_>) -> Checked {
        let declared: Vec<&str> = self
            .routes
            .iter()
            .map(|route| route.name.as_str())
            .collect();
        for (table, owner) in root.tables("owner")?.iter().zip(&self.owners) {
            if let Some(route) = owner
                .routes
                .iter()
                .find(|route| !declared.contains(&route.as_str()))
            {
                return Err(table.fault(
                    "routes",
                    format!("no [[route]] is named `{route}`"),
                    suggestion(route, declared.iter().copied()),
                ));
            }
        }
        Ok(())
    }

    /// A gate's flow must be declared or have a budget: any other name is a slip that would leave the flow untested.
    fn check_gates(&self, root: &Table<'_>) -> Checked {
        let known = self.named_flows();
        for (table, gate) in root.tables("gate")?.iter().zip(&self.gates) {
            if let Some(flow) = gate
                .flows
                .iter()
                .find(|flow| !known.contains(flow.as_str()))
            {
                let message = format!("flow `{flow}` has neither a [[flow]] nor a [[budget]]");
                return Err(table.fault("flows", message, suggestion(flow, known.iter().copied())));
            }
        }
        Ok(())
    }

    fn check_waivers(&self, root: &Table<'_>) -> Checked {
        for (table, waiver) in root.tables("waiver")?.iter().zip(&self.waivers) {
            let Some(budget) = self
                .budgets
                .iter()
                .find(|budget| budget.id == waiver.budget)
            else {
                let hint = suggestion(
                    &waiver.budget,
                    self.budgets.iter().map(|budget| budget.id.as_str()),
                );
                return Err(table.fault(
                    "budget",
                    format!("no [[budget]] has the id `{}`", waiver.budget),
                    hint,
                ));
            };
            if !waiver.ceiling.comparable_to(&budget.limit) {
                let message = format!(
                    "`{}` and the budget's limit `{}` measure different things",
                    waiver.ceiling, budget.limit
                );
                return Err(table.fault("ceiling", message, "write both in units of one kind"));
            }
        }
        Ok(())
    }

    /// Flows that the file names by a declaration or a budget.
    fn named_flows(&self) -> BTreeSet<&str> {
        self.flows
            .iter()
            .map(|flow| flow.name.as_str())
            .chain(self.budgets.iter().map(|budget| budget.flow.as_str()))
            .collect()
    }

    /// What is allowed but likely not meant, a sentence each: owners that nobody hears from, gates that test nothing.
    pub fn warnings(&self) -> Vec<String> {
        let owners: Vec<&str> = self
            .owners
            .iter()
            .map(|owner| owner.name.as_str())
            .collect();
        let used: BTreeSet<&str> = self
            .flows
            .iter()
            .filter_map(|flow| flow.owner.as_deref())
            .chain(
                self.budgets
                    .iter()
                    .filter_map(|budget| budget.owner.as_deref()),
            )
            .collect();
        let unheard = used
            .into_iter()
            .filter(|owner| !owners.contains(owner))
            .map(|owner| {
                let meant = nearest(owner, owners.iter().copied())
                    .map(|name| format!("; did you mean `{name}`?"))
                    .unwrap_or_default();
                format!("owner `{owner}` has no [[owner]] entry, so findings reach nobody{meant}")
            });
        let untested = self.gates.iter().flat_map(|gate| {
            let without = gate
                .flows
                .iter()
                .filter(|flow| !self.budgets.iter().any(|budget| budget.flow == **flow));
            without.map(|flow| {
                format!(
                    "gate `{}` tests nothing of flow `{flow}`: it has no budget",
                    gate.name
                )
            })
        });
        unheard.chain(untested).collect()
    }
}

/// Errs at the second table of `kind` whose `key` has a name that an earlier one has.
fn once<'a>(
    root: &Table<'_>,
    kind: &str,
    key: &str,
    names: impl Iterator<Item = &'a str>,
) -> Checked {
    let mut seen = BTreeSet::new();
    for (table, name) in root.tables(kind)?.iter().zip(names) {
        if !seen.insert(name) {
            return Err(table.fault(
                key,
                format!("`{name}` is declared twice"),
                format!("each [[{kind}]] needs a {key} of its own"),
            ));
        }
    }
    Ok(())
}
