//! Signing in and out, and the one-time link by which the first administrator makes an account.

use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use serde::Deserialize;

use super::auth::{PLAIN_COOKIE, SECURE_COOKIE, session_of};
use super::error::{Error, Result};
use super::pages::enrol::EnrolPage;
use super::pages::layout::{Account, Shell};
use super::pages::login::LoginPage;
use super::{App, paths};
use crate::clock::now_us;

/// A password has at least this many characters (NIST SP 800-63B asks for eight; nobody types these often).
const SHORTEST: usize = 10;
/// And at most this many bytes, so that hashing one costs no more than it should.
const LONGEST: usize = 512;

/// Where to go on after signing in.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Next {
    next: String,
}

/// What the sign-in form sends.
#[derive(Deserialize)]
pub(super) struct Credentials {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// A path on this very service, or the start: nobody is sent elsewhere after signing in.
fn local(next: &str) -> &str {
    let inside = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && next.bytes().all(|byte| byte.is_ascii_graphic());
    if inside { next } else { paths::PROJECTS }
}

/// The sign-in page.
pub(super) async fn login(Query(Next { next }): Query<Next>) -> LoginPage {
    page(String::new(), false, &next)
}

fn page(name: String, is_wrong: bool, next: &str) -> LoginPage {
    LoginPage {
        shell: Shell::bare(Account::Nobody, now_us()),
        name,
        is_wrong,
        next: local(next).to_owned(),
    }
}

/// Checks name and password; both being wrong takes as long as one.
pub(super) async fn sign_in(
    State(app): State<App>,
    jar: CookieJar,
    Form(given): Form<Credentials>,
) -> Result<Response> {
    let account = app.store.account(&given.name).await?;
    let hash = account
        .as_ref()
        .map_or_else(|| NOBODY.clone(), |account| account.password_hash.clone());
    let right = tokio::task::block_in_place(|| matches(&given.password, &hash));
    match account.filter(|_| right) {
        Some(account) => {
            let secret = app.store.begin_session(&account, now_us()).await?;
            let jar = jar.add(cookie(&app, secret));
            Ok((jar, Redirect::to(local(&given.next))).into_response())
        }
        None => {
            let page = page(given.name, true, &given.next);
            Ok((StatusCode::UNAUTHORIZED, page).into_response())
        }
    }
}

/// Ends the session on the server and in the browser.
pub(super) async fn sign_out(
    State(app): State<App>,
    jar: CookieJar,
    parts: Parts,
) -> Result<Response> {
    if let Some(session) = session_of(&parts) {
        app.store.end_session(&session).await?;
    }
    let mut ended = cookie(&app, String::new());
    ended.make_removal();
    Ok((jar.add(ended), Redirect::to(paths::LOGIN)).into_response())
}

/// What the form behind the one-time link sends.
#[derive(Deserialize)]
pub(super) struct NewAccount {
    name: String,
    password: String,
}

/// The page behind the one-time link.
pub(super) async fn enrol(Path(secret): Path<String>) -> EnrolPage {
    enrol_page(secret, String::new(), "")
}

fn enrol_page(secret: String, name: String, fault: &str) -> EnrolPage {
    EnrolPage {
        shell: Shell::bare(Account::Nobody, now_us()),
        path: format!("/enrol/{secret}"),
        name,
        fault: fault.to_owned(),
    }
}

/// Makes the first administrator's account and signs them in.
pub(super) async fn make_account(
    State(app): State<App>,
    jar: CookieJar,
    Path(secret): Path<String>,
    Form(given): Form<NewAccount>,
) -> Result<Response> {
    let name = given.name.trim().to_owned();
    let fault = if name.is_empty() || name.len() > 100 {
        Some("The name must have 1 to 100 characters.")
    } else if given.password.chars().count() < SHORTEST || given.password.len() > LONGEST {
        Some("The password must have 10 to 500 characters.")
    } else {
        None
    };
    if let Some(fault) = fault {
        let page = enrol_page(secret, name, fault);
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    if !app.store.use_enrolment(&secret, now_us()).await? {
        return Err(Error::not_found().hint("the link was used before, or is older than a day"));
    }
    let hash = tokio::task::block_in_place(|| hashed(&given.password))?;
    app.store.save_account(&name, &hash, now_us()).await?;
    let account = app
        .store
        .account(&name)
        .await?
        .ok_or_else(Error::not_found)?;
    let secret = app.store.begin_session(&account, now_us()).await?;
    let jar = jar.add(cookie(&app, secret));
    Ok((jar, Redirect::to(paths::PROJECTS)).into_response())
}

fn cookie(app: &App, secret: String) -> Cookie<'static> {
    let secure = app.settings.public_url.starts_with("https://");
    let name = if secure { SECURE_COOKIE } else { PLAIN_COOKIE };
    Cookie::build((name, secret))
        .path("/")
        .http_only(true)
        .secure(secure)
        .same_site(SameSite::Lax)
        .build()
}

/// The Argon2id hash of a password, as a PHC string.
pub(super) fn hashed(password: &str) -> Result<String> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| Error::invalid(format!("the password cannot be hashed: {error}")))
}

fn matches(password: &str, hash: &str) -> bool {
    password.len() <= LONGEST
        && PasswordHash::new(hash).is_ok_and(|hash| {
            Argon2::default()
                .verify_password(password.as_bytes(), &hash)
                .is_ok()
        })
}

/// What an unknown name's password is compared with, so that names can't be told by the time an answer takes.
static NOBODY: LazyLock<String> = LazyLock::new(|| hashed("nobody's password").unwrap_or_default());

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_password_matches_its_own_hash_and_no_other() {
        let hash = hashed("correct horse battery").unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(matches("correct horse battery", &hash));
        assert!(!matches("correct horse batterz", &hash));
        assert!(!matches("", ""));
    }

    #[test]
    fn nobody_is_sent_elsewhere_after_signing_in() {
        assert_eq!(local("/shop/flows/a%20b"), "/shop/flows/a%20b");
        for elsewhere in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "\\\\evil",
            "/a\r\nSet-Cookie: x",
            "/ x",
        ] {
            assert_eq!(local(elsewhere), "/", "{elsewhere:?}");
        }
    }
}
