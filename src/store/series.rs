//! Series: what is tracked, under an id that is a hash of what it is.

use std::collections::BTreeMap;
use std::fmt;

use collectors::report::{Basis, Direction, Source};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::db::{Tx, args};
use super::{Id, ProjectId, Store, StoreError};

/// A series' stable id: a hash of flow, metric, dimension, source, testbed, basis and labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesId(pub(super) Id);

impl SeriesId {
    /// Reads the 32 hexadecimal digits of [`fmt::Display`].
    pub fn parse(text: &str) -> Option<SeriesId> {
        Id::parse(text).map(SeriesId)
    }

    /// The id as a key.
    pub fn id(&self) -> &Id {
        &self.0
    }
}

impl fmt::Display for SeriesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// One metric of one flow from one source, testbed and basis.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The flow's name as it was sent; which flow people see is the configuration's to say, when read.
    pub flow_name: String,
    /// Metric in snake_case.
    pub metric: String,
    /// The sender's unit, for display.
    pub unit: String,
    /// What the base integers count (`time_ps`, `time_ns`, `bytes`, `count`, `ppm`, `milli_per_s`).
    pub dimension: String,
    /// Where measured.
    pub source: Source,
    /// Named kind of machine or device.
    pub testbed: String,
    /// What one value stands for.
    pub basis: Basis,
    /// Dimensions that split series.
    pub labels: BTreeMap<String, String>,
    /// Which way is good, as far as the sender's tool says.
    pub direction: Direction,
}

impl Series {
    /// The hash of what the series is. Unit and direction are no part of it: they may be told better later.
    pub fn id(&self) -> SeriesId {
        let labels = serde_json::to_string(&self.labels).unwrap_or_default();
        SeriesId(Id::of(&[
            "series/1",
            &self.flow_name,
            &self.metric,
            &self.dimension,
            &word(&self.source),
            &self.testbed,
            &word(&self.basis),
            &labels,
        ]))
    }

    /// Whether the UTC day, not the run, is this series' unit of evidence.
    pub fn is_field(&self) -> bool {
        matches!(self.source, Source::Rum | Source::Telemetry)
    }
}

/// The serde word of a unit variant.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The unit variant of a serde word.
pub(super) fn from_word<T: DeserializeOwned>(word: String) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(word))
        .map_err(|error| StoreError::Corrupt(error.to_string()))
}

type SeriesRow = (
    Vec<u8>,
    String,
    String,
    String,
    String,
    String,
    String,
    String,
    String,
    String,
);

const INSERT: &str = "INSERT INTO series (project_id, id, flow_name, metric, unit, dimension, source, testbed, basis, \
     labels, direction, created_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
     ON CONFLICT (project_id, id) DO NOTHING";
const LIST: &str = "SELECT id, flow_name, metric, unit, dimension, source, testbed, basis, labels, direction \
     FROM series WHERE project_id = $1 AND deleted_us IS NULL ORDER BY id LIMIT $2";
const FIELD_FLOWS: &str = "SELECT DISTINCT flow_name FROM series WHERE project_id = $1 AND source = 'rum' AND deleted_us IS NULL LIMIT $2";
const IDS: &str =
    "SELECT id FROM series WHERE project_id = $1 AND deleted_us IS NULL ORDER BY id LIMIT $2";

/// More series than this no project has: the configured limit stays far below.
const LIST_LIMIT: i64 = 100_000;

/// Stores a series; whether it was not there.
pub(super) async fn insert(
    tx: &mut Tx,
    project: &ProjectId,
    series: &Series,
    now_us: i64,
) -> Result<bool, StoreError> {
    let labels =
        serde_json::to_string(&series.labels).map_err(|e| StoreError::Corrupt(e.to_string()))?;
    let (source, basis, direction) = (
        word(&series.source),
        word(&series.basis),
        word(&series.direction),
    );
    let id = series.id();
    let inserted = tx
        .execute(
            INSERT,
            args![
                project,
                id.id(),
                &series.flow_name,
                &series.metric,
                &series.unit,
                &series.dimension,
                &source,
                &series.testbed,
                &basis,
                &labels,
                &direction,
                now_us,
            ],
        )
        .await?;
    Ok(inserted == 1)
}

fn decode(row: SeriesRow) -> Result<(SeriesId, Series), StoreError> {
    let (id, flow_name, metric, unit, dimension, source, testbed, basis, labels, direction) = row;
    let series = Series {
        flow_name,
        metric,
        unit,
        dimension,
        source: from_word(source)?,
        testbed,
        basis: from_word(basis)?,
        labels: serde_json::from_str(&labels).map_err(|e| StoreError::Corrupt(e.to_string()))?,
        direction: from_word(direction)?,
    };
    Ok((SeriesId(Id::from_row(&id)?), series))
}

impl Store {
    /// All series of a project.
    pub async fn series(&self, project: &ProjectId) -> Result<Vec<(SeriesId, Series)>, StoreError> {
        let rows: Vec<SeriesRow> = self.db.rows(LIST, args![project, LIST_LIMIT]).await?;
        rows.into_iter().map(decode).collect()
    }

    /// The ids of all series of a project.
    pub async fn series_ids(&self, project: &ProjectId) -> Result<Vec<SeriesId>, StoreError> {
        let rows: Vec<(Vec<u8>,)> = self.db.rows(IDS, args![project, LIST_LIMIT]).await?;
        rows.iter()
            .map(|(id,)| Id::from_row(id).map(SeriesId))
            .collect()
    }

    /// The names of the flows that real users' data have brought into being.
    pub async fn field_flows(&self, project: &ProjectId) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> = self
            .db
            .rows(FIELD_FLOWS, args![project, LIST_LIMIT])
            .await?;
        Ok(rows.into_iter().map(|(flow,)| flow).collect())
    }
}
