//! A route made ready to send: its address and secrets taken from the server's environment, checked.

use reqwest::Url;

use super::address::{self, AddressError};
use super::webhook::{SecretError, Secrets};
use crate::config::{Route, RouteKind};

/// Where an alert goes, and how it is written there. It prints neither address nor secrets: both open doors.
#[derive(Debug)]
pub(super) struct Destination {
    /// Its format.
    pub kind: Kind,
    /// Its address.
    pub address: Address,
}

/// A checked address, which does not print itself.
pub(super) struct Address(pub Url);

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(address)")
    }
}

/// How an alert is written.
#[derive(Debug)]
pub(super) enum Kind {
    /// As Slack's blocks.
    Slack,
    /// As a standard webhook, signed where the route has a secret.
    Webhook(Option<Secrets>),
}

/// Why a route cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DestinationError {
    /// A kind that we cannot send yet.
    #[error("{0} is not built yet; use webhook or slack")]
    NotBuilt(&'static str),
    /// The route has no `url_env`.
    #[error("route {0} has no url_env")]
    NoAddress(String),
    /// The server was started without the variable; set it and start the server again.
    #[error("the server's environment has no {0}")]
    NotSet(String),
    /// The variable holds no address that a route may have.
    #[error("{variable}: {reason}")]
    Address {
        /// The variable.
        variable: String,
        /// What is wrong with it.
        reason: AddressError,
    },
    /// The variable holds no secret.
    #[error("{variable}: {reason}")]
    Secret {
        /// The variable.
        variable: String,
        /// What is wrong with it.
        reason: SecretError,
    },
}

impl DestinationError {
    /// Whether only a change of the configuration can mend it.
    pub(super) fn is_final(&self) -> bool {
        matches!(
            self,
            DestinationError::NotBuilt(_) | DestinationError::NoAddress(_)
        )
    }
}

impl Destination {
    /// Makes a route ready; `environment` answers what a variable holds.
    pub(super) fn of(
        route: &Route,
        environment: impl Fn(&str) -> Option<String>,
        allow_private: bool,
    ) -> Result<Destination, DestinationError> {
        let held = |variable: &str| {
            environment(variable)
                .filter(|value| !value.trim().is_empty())
                .ok_or_else(|| DestinationError::NotSet(variable.to_owned()))
        };
        let kind = match route.kind {
            RouteKind::Slack => Kind::Slack,
            RouteKind::Webhook => Kind::Webhook(match &route.secret_env {
                Some(variable) => Some(Secrets::read(&held(variable)?).map_err(|reason| {
                    DestinationError::Secret {
                        variable: variable.clone(),
                        reason,
                    }
                })?),
                None => None,
            }),
            RouteKind::Email | RouteKind::PagerDuty | RouteKind::GitHub => {
                return Err(DestinationError::NotBuilt(route.kind.as_str()));
            }
        };
        let Some(variable) = &route.url_env else {
            return Err(DestinationError::NoAddress(route.name.clone()));
        };
        let url = address::read(&held(variable)?, allow_private).map_err(|reason| {
            DestinationError::Address {
                variable: variable.clone(),
                reason,
            }
        })?;
        Ok(Destination {
            kind,
            address: Address(url),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ADDRESS: &str = "https://hooks.example.com/T0/hush";

    fn route(kind: RouteKind) -> Route {
        Route {
            name: "payments".to_owned(),
            kind,
            url_env: Some("LONGWATCH_ROUTE_URL".to_owned()),
            secret_env: Some("LONGWATCH_ROUTE_SECRET".to_owned()),
        }
    }

    fn environment(variable: &str) -> Option<String> {
        match variable {
            "LONGWATCH_ROUTE_URL" => Some(ADDRESS.to_owned()),
            "LONGWATCH_ROUTE_SECRET" => Some(SECRET.to_owned()),
            "LONGWATCH_ROUTE_INSIDE" => Some("https://169.254.169.254/".to_owned()),
            "LONGWATCH_ROUTE_EMPTY" => Some(" ".to_owned()),
            _ => None,
        }
    }

    fn refusal(route: &Route) -> DestinationError {
        Destination::of(route, environment, false).unwrap_err()
    }

    #[test]
    fn address_and_secret_come_from_the_environment_and_are_not_printed() {
        let destination = Destination::of(&route(RouteKind::Webhook), environment, false).unwrap();
        assert_eq!(destination.address.0.as_str(), ADDRESS);
        let printed = format!("{destination:?}");
        assert!(
            !printed.contains("hush") && !printed.contains("whsec"),
            "{printed}"
        );
    }

    #[test]
    fn a_missing_variable_is_named_and_its_value_never() {
        let mut absent = route(RouteKind::Slack);
        absent.url_env = Some("LONGWATCH_ROUTE_ABSENT".to_owned());
        assert_eq!(
            refusal(&absent).to_string(),
            "the server's environment has no LONGWATCH_ROUTE_ABSENT"
        );
        absent.url_env = Some("LONGWATCH_ROUTE_EMPTY".to_owned());
        assert_eq!(
            refusal(&absent),
            DestinationError::NotSet("LONGWATCH_ROUTE_EMPTY".to_owned())
        );
        absent.url_env = Some("LONGWATCH_ROUTE_INSIDE".to_owned());
        let inside = refusal(&absent);
        assert_eq!(
            inside.to_string(),
            "LONGWATCH_ROUTE_INSIDE: it leads to an address that is not public"
        );
        assert!(!inside.is_final(), "another start may bring another value");
    }

    #[test]
    fn what_we_cannot_send_yet_says_so_for_good() {
        for kind in [RouteKind::Email, RouteKind::PagerDuty, RouteKind::GitHub] {
            let refusal = refusal(&route(kind));
            let expected = format!("{} is not built yet; use webhook or slack", kind.as_str());
            assert_eq!(refusal.to_string(), expected);
            assert!(refusal.is_final());
        }
    }

    #[test]
    fn a_webhook_without_a_secret_is_unsigned_and_one_with_an_unset_secret_waits() {
        let mut route = route(RouteKind::Webhook);
        route.secret_env = None;
        let unsigned = Destination::of(&route, environment, false).unwrap();
        assert!(matches!(unsigned.kind, Kind::Webhook(None)));
        route.secret_env = Some("LONGWATCH_ROUTE_ABSENT".to_owned());
        assert!(matches!(refusal(&route), DestinationError::NotSet(_)));
    }
}
