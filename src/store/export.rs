//! Everything of a project as JSON rows, read page by page in one snapshot: for files that outlive this program.
//!
//! A row is a table's row under the table's own names, but that times (`…_us`) become RFC 3339, ids and digests
//! hexadecimal, and JSON kept as text becomes JSON. Secrets and what only the machinery needs (the journal, leases,
//! watermarks, idempotency keys) stay out; what is not folded yet stands in the windows, marked provisional.

mod tables;

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::db::{Arg, Tx};
use super::windows::{Statistic, Window, page, unfolded};
use super::{Id, ProjectId, SeriesId, Span, Store, StoreError, Stratum};
use tables::{Cell, Cells, TABLES, Table};

/// Rows read and handed on at a time.
const ROWS_A_PAGE: i64 = 500;

impl Store {
    /// Hands everything of a project to `write`, a page of rows at a time under the name of their kind. Each kind comes
    /// at least once, without rows where there are none. All of it is as it was at one moment.
    ///
    /// # Errors
    /// The database's, and whatever `write` says.
    pub async fn export<E: From<StoreError>>(
        &self,
        project: &ProjectId,
        mut write: impl FnMut(&'static str, &[Value]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut tx = self.db.snapshot().await?;
        let mut series = Vec::new();
        for table in TABLES {
            let mut after: Vec<Cell> = table.key.iter().map(|(_, first)| first.clone()).collect();
            loop {
                let rows = read_page(&mut tx, project, table, &after).await?;
                let values = rows
                    .iter()
                    .map(|cells| row(table, cells))
                    .collect::<Result<Vec<Value>, StoreError>>()?;
                write(table.kind, &values)?;
                if table.kind == "series" {
                    series.extend(rows.iter().filter_map(series_id));
                }
                match rows.last() {
                    Some(last) if rows.len() as i64 == ROWS_A_PAGE => after = table.key_of(last),
                    _ => break,
                }
            }
        }
        write(WINDOWS, &[])?;
        for id in series {
            windows(&mut tx, project, id, &mut write).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// The kind of a series' windows.
const WINDOWS: &str = "windows";

async fn read_page(
    tx: &mut Tx,
    project: &ProjectId,
    table: &Table,
    after: &[Cell],
) -> Result<Vec<Cells>, StoreError> {
    let mut values = vec![Arg::from(project), Arg::from(ROWS_A_PAGE)];
    values.extend(after.iter().map(Cell::arg));
    tx.rows(table.page, &values).await
}

fn series_id(cells: &Cells) -> Option<SeriesId> {
    match cells.get("id") {
        Some(Cell::Bytes(id)) => Id::from_row(id).ok().map(SeriesId),
        _ => None,
    }
}

fn row(table: &Table, cells: &Cells) -> Result<Value, StoreError> {
    let mut object = Map::new();
    for (name, cell) in &cells.0 {
        let told = match cell {
            Cell::Int(us) if name.ends_with("_us") => rfc3339(*us)?,
            Cell::Int(flag) if table.flags.contains(&name.as_str()) => Value::Bool(*flag != 0),
            Cell::Int(value) => json!(value),
            Cell::Real(value) => json!(value),
            Cell::Text(text) if table.json.contains(&name.as_str()) => serde_json::from_str(text)
                .map_err(|error| {
                StoreError::Corrupt(format!("{} {name}: {error}", table.kind))
            })?,
            Cell::Text(text) => json!(text),
            Cell::Bytes(bytes) => hexadecimal(bytes),
            Cell::Null => Value::Null,
        };
        object.insert(name.trim_end_matches("_us").to_owned(), told);
    }
    Ok(Value::Object(object))
}

/// The id of nothing becomes null.
fn hexadecimal(bytes: &[u8]) -> Value {
    if bytes == Id::NIL.bytes() {
        return Value::Null;
    }
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Value::String(text)
}

fn rfc3339(us: i64) -> Result<Value, StoreError> {
    jiff::Timestamp::from_microsecond(us)
        .map(|time| json!(time.to_string()))
        .map_err(|error| StoreError::Corrupt(format!("time {us}: {error}")))
}

/// A series' windows, stored ones first with what is not folded yet merged in, then those that only the fold will make.
async fn windows<E: From<StoreError>>(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
    write: &mut impl FnMut(&'static str, &[Value]) -> Result<(), E>,
) -> Result<(), E> {
    let mut fresh = unfolded(tx, project, series).await?;
    let mut after = None;
    loop {
        let mut stored = page(tx, project, series, after.as_ref(), ROWS_A_PAGE).await?;
        for window in &mut stored {
            if let Some(more) = fresh.remove(&window.key) {
                window.merge(&more)?;
                window.settle();
            }
        }
        write(WINDOWS, &rows(&stored)?)?;
        let is_last = (stored.len() as i64) < ROWS_A_PAGE;
        after = stored.pop().map(|window| window.key);
        if is_last {
            break;
        }
    }
    let fresh: Vec<Window> = fresh.into_values().collect();
    write(WINDOWS, &rows(&fresh)?)
}

fn rows(windows: &[Window]) -> Result<Vec<Value>, StoreError> {
    windows.iter().map(window_row).collect()
}

/// A window in base units; the histograms are HdrHistogram V2, deflated, in base64.
fn window_row(window: &Window) -> Result<Value, StoreError> {
    let (span, run, start) = match window.key.span {
        Span::Run(run) => ("run", Some(run), None),
        Span::Release => ("release", None, None),
        Span::Day(start) => ("day", None, Some(start)),
        Span::Hour(start) => ("hour", None, Some(start)),
    };
    let body = window.body.clone().unwrap_or_default();
    let histograms: Vec<Value> = body
        .strata
        .iter()
        .map(|(stratum, packed)| histogram(stratum, packed.0.encode_base64()))
        .collect();
    let explicit: Vec<Value> = body
        .explicit
        .iter()
        .map(|(bounds, counts)| json!({"bounds": bounds, "counts": counts}))
        .collect();
    let summaries: Vec<Value> = body
        .summaries
        .iter()
        .map(|told| {
            let reported: Map<String, Value> = told
                .reported
                .iter()
                .map(|(name, value)| (name.clone(), json!(value)))
                .collect();
            json!({"headline": told.headline, "count": told.count, "stddev": told.stddev, "reported": reported})
        })
        .collect();
    Ok(json!({
        "series_id": window.key.series,
        "span": span,
        "run_id": run,
        "start": start.map(rfc3339).transpose()?,
        "release": window.key.release,
        "first": rfc3339(window.first_us)?,
        "last": rfc3339(window.last_us)?,
        "count": window.count,
        "failed": window.failed,
        "dropped": window.dropped,
        "provisional": window.provisional,
        "headline": window.headline,
        "p50": statistic(window.p50),
        "p75": statistic(window.p75),
        "p99": statistic(window.p99),
        "histograms": histograms,
        "exact": body.exact,
        "explicit": explicit,
        "summaries": summaries,
    }))
}

fn histogram(stratum: &Stratum, payload: String) -> Value {
    json!({
        "sampling_rate": f64::from(stratum.rate_ppm) / 1e6,
        "device": stratum.device,
        "country": stratum.country,
        "navigation": stratum.navigation,
        "hdr": payload,
    })
}

fn statistic(found: Statistic) -> Value {
    found.map_or(
        Value::Null,
        |i| json!({"value": i.value, "lower": i.lower, "upper": i.upper}),
    )
}
