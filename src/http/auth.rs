//! Who is calling. Every route but the public ones takes one of these extractors, and each yields the project's right
//! only after the credentials were checked.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum_extra::extract::CookieJar;

use super::App;
use super::error::{Error, Result};
use crate::clock::now_us;
use crate::store::{Caller, ProjectId, Scope};

/// The session cookie where the service is reached over HTTPS; browsers then refuse it on any other path or host.
pub const SECURE_COOKIE: &str = "__Host-longwatch";
/// The session cookie over plain HTTP (loopback, tests).
pub const PLAIN_COOKIE: &str = "longwatch";

async fn caller(parts: &mut Parts, app: &App) -> Result<Caller> {
    let params = RawPathParams::from_request_parts(parts, app)
        .await
        .map_err(|_| Error::not_found())?;
    let slug = params
        .iter()
        .find(|(name, _)| *name == "project")
        .map(|(_, value)| value.to_owned())
        .ok_or_else(Error::not_found)?;
    if let Some(header) = parts.headers.get(AUTHORIZATION) {
        let token = header
            .to_str()
            .ok()
            .and_then(|text| text.strip_prefix("Bearer "))
            .ok_or_else(Error::unauthorised)?;
        let caller = app
            .store
            .caller_by_token(token.trim(), now_us())
            .await?
            .ok_or_else(Error::unauthorised)?;
        // Another project's things look like absent ones.
        return if caller.slug == slug {
            Ok(caller)
        } else {
            Err(Error::not_found())
        };
    }
    let session = session_of(parts);
    if let Some(session) = &session
        && let Some(caller) = app
            .store
            .caller_by_session(session, &slug, now_us())
            .await?
    {
        return Ok(caller);
    }
    if app.settings.public_read {
        return app
            .store
            .caller_by_public_read(&slug)
            .await?
            .ok_or_else(Error::not_found);
    }
    Err(Error::unauthorised())
}

/// The session cookie's value, if one came.
pub fn session_of(parts: &Parts) -> Option<String> {
    let jar = CookieJar::from_headers(&parts.headers);
    [SECURE_COOKIE, PLAIN_COOKIE]
        .into_iter()
        .find_map(|name| jar.get(name))
        .map(|cookie| cookie.value().to_owned())
}

/// Makes an extractor that lets some scopes through.
macro_rules! extractor {
    ($(#[$doc:meta])* $name:ident: $($scope:ident)|+, $needed:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(pub Caller);

        impl FromRequestParts<App> for $name {
            type Rejection = Error;

            async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
                let caller = caller(parts, app).await?;
                match caller.scope {
                    $(Scope::$scope)|+ => Ok($name(caller)),
                    _ => Err(Error::forbidden($needed)),
                }
            }
        }

        impl $name {
            /// The project that the caller may touch.
            pub fn project(&self) -> &ProjectId {
                &self.0.project
            }
        }
    };
}

extractor!(
    /// May read the project.
    Reader: Read | Ci | Admin, "read, ci or admin"
);
extractor!(
    /// May send results and register releases.
    Ingester: Ingest | Ci | Admin, "ingest, ci or admin"
);
extractor!(
    /// May ask gates.
    GateAsker: Ci | Admin, "ci or admin"
);
extractor!(
    /// May change configuration, findings and runs.
    Administrator: Admin, "admin"
);

/// A signed-in person or, on a public service, anyone; for pages above all projects.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Who, where signed in.
    pub name: Option<String>,
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let name = match session_of(parts) {
            Some(session) => app.store.session(&session, now_us()).await?,
            None => None,
        };
        if name.is_none() && !app.settings.public_read {
            return Err(Error::unauthorised());
        }
        Ok(Visitor { name })
    }
}
