//! Who may do what: projects, tokens, accounts, sessions, and the audit trail. The only place that makes a
//! [`ProjectId`] out of what a client sent.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::db::{Arg, Tx, args};
use super::series::{from_word, word};
use super::{Id, ProjectId, Store, StoreError};

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Sends results and registers releases.
    Ingest,
    /// Ingest, and asks gates.
    Ci,
    /// The public key of a page's beacons: writes them, reads nothing.
    Rum,
    /// Reads.
    Read,
    /// Everything in its project.
    Admin,
}

impl std::str::FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        from_word(text.to_owned())
            .map_err(|_| format!("{text:?} is no scope; use ingest, ci, rum, read or admin"))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&word(self))
    }
}

/// Somebody whose right to a project was checked.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The project.
    pub project: ProjectId,
    /// Its name in URLs.
    pub slug: String,
    /// What they may do there.
    pub scope: Scope,
    /// How the audit trail calls them; holds no secret.
    pub actor: String,
    /// Whether a signed-in person is behind it (and not a token, nor anybody).
    pub person: bool,
}

/// A fresh token; its text is shown once and never stored.
pub struct NewToken {
    /// Its id, for listing and revoking.
    pub id: Id,
    /// The secret text.
    pub text: String,
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewToken({})", self.id)
    }
}

/// A token as listed: without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its id.
    pub id: Id,
    /// What it is good for.
    pub scope: Scope,
    /// What its maker called it.
    pub label: String,
    /// The key itself, for rum keys, which are public.
    pub public_key: Option<String>,
    /// When it was made, microseconds.
    pub created_us: i64,
    /// When it ends.
    pub expires_us: Option<i64>,
    /// When it was revoked.
    pub revoked_us: Option<i64>,
    /// When it was last used, to the hour.
    pub last_used_us: Option<i64>,
}

/// A checked beacon key.
#[derive(Debug, Clone, Copy)]
pub struct RumKey {
    /// Where its beacons go.
    pub project: ProjectId,
}

/// A signed-in person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: Id,
    /// Its name.
    pub name: String,
    /// PHC string of the password's Argon2id hash.
    pub password_hash: String,
}

/// A token's last use is written at most this often, in microseconds: reading must not cost a write each.
const LAST_USED_GRAIN_US: i64 = 3_600_000_000;
/// A session ends this long after sign-in, microseconds.
const SESSION_US: i64 = 14 * 86_400_000_000;
/// A session ends after this long without use.
const SESSION_IDLE_US: i64 = 3 * 86_400_000_000;
/// The first administrator's link is good for a day.
const ENROLMENT_US: i64 = 86_400_000_000;

const PROJECT: &str = "SELECT id FROM project WHERE slug = $1";
const PROJECTS: &str = "SELECT id, slug FROM project ORDER BY slug LIMIT 10000";
const NEW_PROJECT: &str =
    "INSERT INTO project (id, slug, created_us) VALUES ($1, $2, $3) ON CONFLICT (slug) DO NOTHING";
const NEW_TOKEN: &str = "INSERT INTO access_token (id, project_id, scope, secret_sha256, label, public_key, created_us, \
     expires_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const TOKEN: &str = "SELECT access_token.project_id, project.slug, access_token.scope, access_token.secret_sha256, \
     access_token.expires_us, access_token.revoked_us, access_token.last_used_us \
     FROM access_token JOIN project ON project.id = access_token.project_id WHERE access_token.id = $1";
const TOUCH_TOKEN: &str =
    "UPDATE access_token SET last_used_us = $2 WHERE id = $1 AND project_id = $3";
const TOKENS: &str = "SELECT id, scope, label, public_key, created_us, expires_us, revoked_us, last_used_us \
     FROM access_token WHERE project_id = $1 ORDER BY id LIMIT 1000";
const REVOKE: &str = "UPDATE access_token SET revoked_us = $3 WHERE project_id = $1 AND id = $2 AND revoked_us IS NULL";
const ACCOUNT: &str = "SELECT id, name, password_hash FROM account WHERE name = $1";
const ACCOUNTS: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM account";
const NEW_ACCOUNT: &str = "INSERT INTO account (id, name, password_hash, created_us) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (name) DO UPDATE SET password_hash = excluded.password_hash";
const NEW_SESSION: &str = "INSERT INTO session (secret_sha256, account_id, created_us, seen_us, expires_us) \
     VALUES ($1, $2, $3, $3, $4)";
const SESSION: &str = "SELECT account.name, session.seen_us, session.expires_us FROM session \
     JOIN account ON account.id = session.account_id WHERE session.secret_sha256 = $1";
const TOUCH_SESSION: &str = "UPDATE session SET seen_us = $2 WHERE secret_sha256 = $1";
const END_SESSION: &str = "DELETE FROM session WHERE secret_sha256 = $1";
const NEW_ENROLMENT: &str = "INSERT INTO enrolment (secret_sha256, expires_us) VALUES ($1, $2)";
const USE_ENROLMENT: &str = "UPDATE enrolment SET used_us = $2 WHERE secret_sha256 = $1 AND used_us IS NULL AND expires_us > $2";
const AUDIT: &str = "INSERT INTO audit (project_id, id, at_us, actor, action, subject, detail) \
     VALUES ($1, $2, $3, $4, $5, $6, $7)";
const AUDIT_LIST: &str = "SELECT at_us, actor, action, subject, detail FROM audit WHERE project_id = $1 ORDER BY id DESC LIMIT $2";

type TokenColumns = (
    Vec<u8>,
    String,
    String,
    Vec<u8>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

pub(super) async fn audit(
    tx: &mut Tx,
    project: &ProjectId,
    actor: &str,
    action: &str,
    subject: &str,
    detail: &str,
    now_us: i64,
) -> Result<(), StoreError> {
    tx.execute(
        AUDIT,
        args![project, &Id::new(), now_us, actor, action, subject, detail],
    )
    .await?;
    Ok(())
}

fn random_secret() -> [u8; 32] {
    rand::random()
}

fn digest(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// Six hexadecimal digits that let a scanner tell a token from a look-alike without asking us.
fn checksum(body: &str) -> String {
    digest(body.as_bytes())[..3]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// `lw_<scope>_<id>_<secret>_<checksum>` taken apart, if its checksum holds.
fn split_token(text: &str) -> Option<(Id, Vec<u8>)> {
    let rest = text.strip_prefix("lw_")?;
    let (body, sum) = rest.rsplit_once('_')?;
    if checksum(body) != sum {
        return None;
    }
    // The secret may hold underscores itself: scope and id come first.
    let mut parts = body.splitn(3, '_');
    let (_scope, id, secret) = (parts.next()?, parts.next()?, parts.next()?);
    Some((Id::parse(id)?, URL_SAFE_NO_PAD.decode(secret).ok()?))
}

impl Store {
    /// Makes a project unless it is there.
    pub async fn ensure_project(
        &self,
        slug: &str,
        actor: &str,
        now_us: i64,
    ) -> Result<ProjectId, StoreError> {
        let mut tx = self.db.begin().await?;
        let id = Id::new();
        let made = tx.execute(NEW_PROJECT, args![&id, slug, now_us]).await?;
        let row: Option<(Vec<u8>,)> = tx.row(PROJECT, args![slug]).await?;
        let (id,) = row.ok_or(StoreError::NotFound)?;
        let project = ProjectId(Id::from_row(&id)?);
        if made == 1 {
            audit(&mut tx, &project, actor, "project.create", slug, "", now_us).await?;
        }
        tx.commit().await?;
        Ok(project)
    }

    /// A project for administration on the database itself (whoever holds the database holds everything).
    pub async fn project_for_administration(&self, slug: &str) -> Result<ProjectId, StoreError> {
        let row: Option<(Vec<u8>,)> = self.db.row(PROJECT, args![slug]).await?;
        let (id,) = row.ok_or(StoreError::NotFound)?;
        Ok(ProjectId(Id::from_row(&id)?))
    }

    /// All projects with their names, for work that the service does on its own and for signed-in people.
    pub async fn projects(&self) -> Result<Vec<(ProjectId, String)>, StoreError> {
        let rows: Vec<(Vec<u8>, String)> = self.db.rows(PROJECTS, args![]).await?;
        rows.into_iter()
            .map(|(id, slug)| Ok((ProjectId(Id::from_row(&id)?), slug)))
            .collect()
    }

    /// Makes a token; its text is in the answer only.
    pub async fn create_token(
        &self,
        project: &ProjectId,
        scope: Scope,
        label: &str,
        expires_us: Option<i64>,
        actor: &str,
        now_us: i64,
    ) -> Result<NewToken, StoreError> {
        let (id, secret) = (Id::new(), random_secret());
        let body = format!("{scope}_{id}_{}", URL_SAFE_NO_PAD.encode(secret));
        let text = format!("lw_{body}_{}", checksum(&body));
        let public = (scope == Scope::Rum).then_some(text.as_str());
        let scope_word = scope.to_string();
        let mut tx = self.db.begin().await?;
        tx.execute(
            NEW_TOKEN,
            args![
                &id,
                project,
                &scope_word,
                &digest(&secret),
                label,
                public,
                now_us,
                expires_us,
            ],
        )
        .await?;
        let subject = id.to_string();
        audit(
            &mut tx,
            project,
            actor,
            "token.create",
            &subject,
            &scope_word,
            now_us,
        )
        .await?;
        tx.commit().await?;
        Ok(NewToken { id, text })
    }

    /// The tokens of a project.
    pub async fn tokens(&self, project: &ProjectId) -> Result<Vec<TokenRow>, StoreError> {
        type Columns = (
            Vec<u8>,
            String,
            String,
            Option<String>,
            i64,
            Option<i64>,
            Option<i64>,
            Option<i64>,
        );
        let rows: Vec<Columns> = self.db.rows(TOKENS, args![project]).await?;
        rows.into_iter()
            .map(|row| {
                Ok(TokenRow {
                    id: Id::from_row(&row.0)?,
                    scope: from_word(row.1)?,
                    label: row.2,
                    public_key: row.3,
                    created_us: row.4,
                    expires_us: row.5,
                    revoked_us: row.6,
                    last_used_us: row.7,
                })
            })
            .collect()
    }

    /// Ends a token at once.
    pub async fn revoke_token(
        &self,
        project: &ProjectId,
        id: &Id,
        actor: &str,
        now_us: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        if tx.execute(REVOKE, args![project, id, now_us]).await? == 0 {
            return Err(StoreError::NotFound);
        }
        let subject = id.to_string();
        audit(
            &mut tx,
            project,
            actor,
            "token.revoke",
            &subject,
            "",
            now_us,
        )
        .await?;
        tx.commit().await
    }

    /// Checks a token. Those who come with the same one at the same time are told together, after the last of them came.
    pub async fn caller_by_token(
        &self,
        text: &str,
        now_us: i64,
    ) -> Result<Option<Caller>, StoreError> {
        let Some((id, secret)) = split_token(text) else {
            return Ok(None);
        };
        let store = self.clone();
        let look = move |now_us| {
            let (store, secret) = (store.clone(), secret.clone());
            async move { store.caller(&id, &secret, now_us).await }
        };
        self.callers.get(text, now_us, look).await
    }

    /// Checks a token's secret. Unknown ids and wrong secrets take the same comparison.
    async fn caller(
        &self,
        id: &Id,
        secret: &[u8],
        now_us: i64,
    ) -> Result<Option<Caller>, StoreError> {
        let row: Option<TokenColumns> = self.db.row(TOKEN, args![id]).await?;
        let known = row.as_ref().map_or(&[0_u8; 32][..], |row| &row.3);
        let right = bool::from(digest(secret).ct_eq(known));
        let Some((project, slug, scope, _, expires_us, revoked_us, last_used_us)) = row else {
            return Ok(None);
        };
        if !right || revoked_us.is_some() || expires_us.is_some_and(|end| end <= now_us) {
            return Ok(None);
        }
        let project = ProjectId(Id::from_row(&project)?);
        if last_used_us.is_none_or(|used| used + LAST_USED_GRAIN_US < now_us) {
            let values = args![id, now_us, &project];
            self.note_use(TOUCH_TOKEN, values).await;
        }
        Ok(Some(Caller {
            project,
            slug,
            scope: from_word(scope)?,
            actor: format!("token {}", &id.to_string()[24..]),
            person: false,
        }))
    }

    /// Notes when something was used last. Where that can't be written, for want of room for one, it serves all the same.
    async fn note_use(&self, sql: &'static str, values: &[Arg<'_>]) {
        if let Err(error) = self.db.execute(sql, values).await {
            tracing::warn!(%error, "when a token or session was used last is not noted");
        }
    }

    /// Lets anyone read a project, where the server was started so (`--public-read`, `demo`).
    pub async fn caller_by_public_read(&self, slug: &str) -> Result<Option<Caller>, StoreError> {
        let row: Option<(Vec<u8>,)> = self.db.row(PROJECT, args![slug]).await?;
        row.map(|(id,)| {
            Ok(Caller {
                project: ProjectId(Id::from_row(&id)?),
                slug: slug.to_owned(),
                scope: Scope::Read,
                actor: "anyone".to_owned(),
                person: false,
            })
        })
        .transpose()
    }

    /// A signed-in person's right to a project; every account may administer every project.
    pub async fn caller_by_session(
        &self,
        session: &str,
        slug: &str,
        now_us: i64,
    ) -> Result<Option<Caller>, StoreError> {
        let Some(name) = self.session(session, now_us).await? else {
            return Ok(None);
        };
        let row: Option<(Vec<u8>,)> = self.db.row(PROJECT, args![slug]).await?;
        row.map(|(id,)| {
            Ok(Caller {
                project: ProjectId(Id::from_row(&id)?),
                slug: slug.to_owned(),
                scope: Scope::Admin,
                actor: name.clone(),
                person: true,
            })
        })
        .transpose()
    }

    /// Whose session this is, if it still runs.
    pub async fn session(&self, session: &str, now_us: i64) -> Result<Option<String>, StoreError> {
        let hash = digest(session.as_bytes());
        let row: Option<(String, i64, i64)> = self.db.row(SESSION, args![&hash]).await?;
        let Some((name, seen_us, expires_us)) = row else {
            return Ok(None);
        };
        if expires_us <= now_us || seen_us + SESSION_IDLE_US <= now_us {
            return Ok(None);
        }
        if seen_us + LAST_USED_GRAIN_US < now_us {
            self.note_use(TOUCH_SESSION, args![&hash, now_us]).await;
        }
        Ok(Some(name))
    }

    /// Begins a session after a password was checked; the answer is the cookie's value.
    pub async fn begin_session(
        &self,
        account: &Account,
        now_us: i64,
    ) -> Result<String, StoreError> {
        let secret = URL_SAFE_NO_PAD.encode(random_secret());
        self.db
            .execute(
                NEW_SESSION,
                args![
                    &digest(secret.as_bytes()),
                    &account.id,
                    now_us,
                    now_us + SESSION_US,
                ],
            )
            .await?;
        Ok(secret)
    }

    /// Ends a session at once.
    pub async fn end_session(&self, session: &str) -> Result<(), StoreError> {
        self.db
            .execute(END_SESSION, args![&digest(session.as_bytes())])
            .await?;
        Ok(())
    }

    /// An account by its name.
    pub async fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        let row: Option<(Vec<u8>, String, String)> = self.db.row(ACCOUNT, args![name]).await?;
        row.map(|(id, name, password_hash)| {
            Ok(Account {
                id: Id::from_row(&id)?,
                name,
                password_hash,
            })
        })
        .transpose()
    }

    /// Makes an account, or gives it a new password.
    pub async fn save_account(
        &self,
        name: &str,
        password_hash: &str,
        now_us: i64,
    ) -> Result<(), StoreError> {
        self.db
            .execute(NEW_ACCOUNT, args![&Id::new(), name, password_hash, now_us])
            .await?;
        Ok(())
    }

    /// A one-time secret for the first administrator, where there is no account yet.
    pub async fn first_enrolment(&self, now_us: i64) -> Result<Option<String>, StoreError> {
        let accounts: Option<(i64,)> = self.db.row(ACCOUNTS, args![]).await?;
        if accounts.is_some_and(|(count,)| count > 0) {
            return Ok(None);
        }
        let secret = URL_SAFE_NO_PAD.encode(random_secret());
        self.db
            .execute(
                NEW_ENROLMENT,
                args![&digest(secret.as_bytes()), now_us + ENROLMENT_US],
            )
            .await?;
        Ok(Some(secret))
    }

    /// Uses up a one-time secret; whether it was good.
    pub async fn use_enrolment(&self, secret: &str, now_us: i64) -> Result<bool, StoreError> {
        let used = self
            .db
            .execute(USE_ENROLMENT, args![&digest(secret.as_bytes()), now_us])
            .await?;
        Ok(used == 1)
    }

    /// A beacon key's project.
    pub async fn rum_key(&self, key: &str, now_us: i64) -> Result<Option<RumKey>, StoreError> {
        Ok(self
            .caller_by_token(key, now_us)
            .await?
            .filter(|caller| caller.scope == Scope::Rum)
            .map(|caller| RumKey {
                project: caller.project,
            }))
    }

    /// The newest audit rows: when, who, what, on what, detail.
    pub async fn audit_trail(
        &self,
        project: &ProjectId,
        limit: i64,
    ) -> Result<Vec<(i64, String, String, String, String)>, StoreError> {
        self.db.rows(AUDIT_LIST, args![project, limit]).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_comes_apart_and_a_wrong_character_is_noticed() {
        let (id, secret) = (Id::new(), random_secret());
        let body = format!("ci_{id}_{}", URL_SAFE_NO_PAD.encode(secret));
        let text = format!("lw_{body}_{}", checksum(&body));
        assert_eq!(split_token(&text), Some((id, secret.to_vec())));
        let mut wrong = text.clone();
        let last = wrong.pop().unwrap();
        wrong.push(if last == '0' { '1' } else { '0' });
        assert_eq!(split_token(&wrong), None);
        assert_eq!(split_token(""), None);
        assert_eq!(split_token("lw__"), None);
    }
}
