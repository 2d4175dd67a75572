//! Which tables an export holds, how they are read in pages, and rows whose columns are known only when read.

use sqlx::{Column, Decode, TypeInfo, ValueRef};

use crate::store::db::Arg;

/// A value as it stands in a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Cell {
    /// To be bound as a part of a key.
    pub(super) fn arg(&self) -> Arg<'_> {
        match self {
            Cell::Null => Arg::Bytes(None),
            Cell::Int(value) => Arg::Int(Some(*value)),
            Cell::Real(value) => Arg::Real(Some(*value)),
            Cell::Text(text) => Arg::Text(Some(text)),
            Cell::Bytes(bytes) => Arg::Bytes(Some(bytes)),
        }
    }
}

/// A row's values with their columns' names, in order.
#[derive(Debug, Clone)]
pub(super) struct Cells(pub(super) Vec<(String, Cell)>);

impl Cells {
    pub(super) fn get(&self, column: &str) -> Option<&Cell> {
        self.0
            .iter()
            .find(|(name, _)| name == column)
            .map(|(_, cell)| cell)
    }
}

impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for Cells
where
    usize: sqlx::ColumnIndex<R>,
    i64: Decode<'r, R::Database> + sqlx::Type<R::Database>,
    f64: Decode<'r, R::Database> + sqlx::Type<R::Database>,
    String: Decode<'r, R::Database> + sqlx::Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let cell = |at: usize| -> Result<Cell, sqlx::Error> {
            let raw = row.try_get_raw(at)?;
            if raw.is_null() {
                return Ok(Cell::Null);
            }
            let kind = raw.type_info().name().to_owned();
            match kind.as_str() {
                "INTEGER" | "INT8" => row.try_get(at).map(Cell::Int),
                "REAL" | "FLOAT8" => row.try_get(at).map(Cell::Real),
                "BLOB" | "BYTEA" => row.try_get(at).map(Cell::Bytes),
                _ => row.try_get(at).map(Cell::Text),
            }
        };
        row.columns()
            .iter()
            .map(|column| Ok((column.name().to_owned(), cell(column.ordinal())?)))
            .collect::<Result<Vec<_>, _>>()
            .map(Cells)
    }
}

/// A table of the export.
pub(super) struct Table {
    /// What its rows are called.
    pub(super) kind: &'static str,
    /// The rows behind a key, at most `$2` of them: `$1` is the project, `$3` and on the key.
    pub(super) page: &'static str,
    /// The key's columns, each with what lies before any value.
    pub(super) key: &'static [(&'static str, Cell)],
    /// Columns that hold JSON.
    pub(super) json: &'static [&'static str],
    /// Columns that hold 0 or 1.
    pub(super) flags: &'static [&'static str],
}

impl Table {
    /// The key of a row of this table.
    pub(super) fn key_of(&self, cells: &Cells) -> Vec<Cell> {
        self.key
            .iter()
            .map(|(column, first)| cells.get(column).unwrap_or(first).clone())
            .collect()
    }
}

const BY_ID: &[(&str, Cell)] = &[("id", Cell::Bytes(Vec::new()))];

const PROJECT: &str = "SELECT id, slug, created_us FROM project WHERE id = $1 AND id > $3 LIMIT $2";
const POLICIES: &str = "SELECT version, applied_us, actor, toml FROM policy WHERE project_id = $1 AND version > $3 \
               ORDER BY version LIMIT $2";
const SERIES: &str = "SELECT id, flow_name, metric, unit, dimension, source, testbed, basis, labels, direction, created_us \
               FROM series WHERE project_id = $1 AND id > $3 ORDER BY id LIMIT $2";
const RELEASES: &str = "SELECT name, commit_id, parent, branch, on_main, time_us, declared, note, created_us FROM release \
               WHERE project_id = $1 AND name > $3 ORDER BY name LIMIT $2";
const RUNS: &str = "SELECT id, name, source, testbed, release, commit_id, branch, pull_request, on_main, workload, harness, \
               fingerprint, started_us, received_us, excluded_us, excluded_reason FROM run \
               WHERE project_id = $1 AND id > $3 ORDER BY id LIMIT $2";
const EPOCHS: &str = "SELECT id, flow, source, at_us, kind, reason, actor, created_us FROM epoch \
               WHERE project_id = $1 AND id > $3 ORDER BY id LIMIT $2";
const FINDINGS: &str = "SELECT id, series_id, identity, kind, state, flow, owner, assignee, onset_us, detected_us, updated_us, \
               snoozed_until_us, closed_us, told_pct, evidence FROM finding \
               WHERE project_id = $1 AND id > $3 ORDER BY id LIMIT $2";
const FINDING_EVENTS: &str = "SELECT finding_id, id, at_us, actor, action, note FROM finding_event \
               WHERE project_id = $1 AND (finding_id, id) > ($3, $4) ORDER BY finding_id, id LIMIT $2";
const DELIVERIES: &str = "SELECT id, finding_id, route, event, message, created_us, due_us, attempts, sent_us, dead_us, last_error \
               FROM delivery WHERE project_id = $1 AND id > $3 ORDER BY id LIMIT $2";
const VERDICTS: &str = "SELECT id, gate, release, evidence_sha256, verdict, body, created_us FROM verdict \
               WHERE project_id = $1 AND id > $3 ORDER BY id LIMIT $2";
const BATCHES: &str = "SELECT id, run_id, received_us, format, content_sha256, series_count, sample_count, skipped FROM batch \
               WHERE project_id = $1 AND id > $3 ORDER BY id LIMIT $2";
const DROPPED: &str = "SELECT day_us, reason, count FROM dropped_count WHERE project_id = $1 AND (day_us, reason) > ($3, $4) \
               ORDER BY day_us, reason LIMIT $2";
const AUDIT: &str = "SELECT id, at_us, actor, action, subject, detail FROM audit \
               WHERE project_id = $1 AND id > $3 ORDER BY id LIMIT $2";

/// In the order in which they are written; windows come after them.
pub(super) const TABLES: &[Table] = &[
    Table {
        kind: "project",
        page: PROJECT,
        key: BY_ID,
        json: &[],
        flags: &[],
    },
    Table {
        kind: "policies",
        page: POLICIES,
        key: &[("version", Cell::Int(0))],
        json: &[],
        flags: &[],
    },
    Table {
        kind: "series",
        page: SERIES,
        key: BY_ID,
        json: &["labels"],
        flags: &[],
    },
    Table {
        kind: "releases",
        page: RELEASES,
        key: &[("name", Cell::Text(String::new()))],
        json: &[],
        flags: &["on_main", "declared"],
    },
    Table {
        kind: "runs",
        page: RUNS,
        key: BY_ID,
        json: &["fingerprint"],
        flags: &["on_main"],
    },
    Table {
        kind: "epochs",
        page: EPOCHS,
        key: BY_ID,
        json: &[],
        flags: &[],
    },
    Table {
        kind: "findings",
        page: FINDINGS,
        key: BY_ID,
        json: &["evidence"],
        flags: &[],
    },
    Table {
        kind: "finding_events",
        page: FINDING_EVENTS,
        key: &[
            ("finding_id", Cell::Bytes(Vec::new())),
            ("id", Cell::Bytes(Vec::new())),
        ],
        json: &[],
        flags: &[],
    },
    Table {
        kind: "deliveries",
        page: DELIVERIES,
        key: BY_ID,
        json: &["message"],
        flags: &[],
    },
    Table {
        kind: "verdicts",
        page: VERDICTS,
        key: BY_ID,
        json: &["body"],
        flags: &[],
    },
    Table {
        kind: "batches",
        page: BATCHES,
        key: BY_ID,
        json: &["skipped"],
        flags: &[],
    },
    Table {
        kind: "dropped",
        page: DROPPED,
        key: &[
            ("day_us", Cell::Int(i64::MIN)),
            ("reason", Cell::Text(String::new())),
        ],
        json: &[],
        flags: &[],
    },
    Table {
        kind: "audit",
        page: AUDIT,
        key: BY_ID,
        json: &[],
        flags: &[],
    },
];
