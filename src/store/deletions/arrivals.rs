//! What arrives after its series or release was deleted brings them back. Instances tell of a series or a beacon's
//! release once and then only name it, so the fold sees to it that what it names is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use super::super::db::{Arg, Tx, args};
use super::super::{Origin, ProjectId, SeriesId, StoreError, record_versions, releases};

const ANY_HIDDEN: &str =
    "SELECT deleted_us FROM series WHERE project_id = $1 AND deleted_us IS NOT NULL LIMIT 1";
/// Series that one statement shows again.
const SHOWN_AT_ONCE: usize = 64;
pub(in crate::store) static SHOW_AGAIN: LazyLock<String> = LazyLock::new(|| {
    let places: Vec<String> = (0..SHOWN_AT_ONCE)
        .map(|at| format!("${}", at + 2))
        .collect();
    format!(
        "UPDATE series SET deleted_us = NULL WHERE project_id = $1 AND deleted_us IS NOT NULL AND id IN ({})",
        places.join(", ")
    )
});

/// Shows the series that an unfolded row names again where they are hidden, and registers the releases that field data name.
/// Answers whether any was missing: then a deletion may have been asked for since the journal was read, and what was
/// brought back here is what it deletes.
pub(in crate::store) async fn welcome(
    tx: &mut Tx,
    project: &ProjectId,
    heard: &[(Arc<Origin>, i64)],
    now_us: i64,
) -> Result<bool, StoreError> {
    let series = heard.iter().map(|(origin, _)| origin.series);
    let mut missing = show_again(tx, project, series.collect()).await?;
    // An upload registers its release itself, in its own commit.
    let mut seen: BTreeMap<&str, i64> = BTreeMap::new();
    for (origin, time_us) in heard {
        if origin.run.is_none() && !origin.release.is_empty() {
            let first_us = seen.entry(&origin.release).or_insert(*time_us);
            *first_us = (*time_us).min(*first_us);
        }
    }
    for (release, first_us) in seen {
        missing += releases::seen(tx, project, release, first_us, now_us).await?;
    }
    if missing > 0 {
        record_versions::bump(tx, project, now_us).await?;
    }
    Ok(missing > 0)
}

/// Shows series again where they are hidden; how many were.
pub(in crate::store) async fn show_again(
    tx: &mut Tx,
    project: &ProjectId,
    series: BTreeSet<SeriesId>,
) -> Result<u64, StoreError> {
    let hidden: Option<(i64,)> = tx.row(ANY_HIDDEN, args![project]).await?;
    if hidden.is_none() {
        return Ok(0);
    }
    let series: Vec<SeriesId> = series.into_iter().collect();
    let mut shown = 0;
    for chunk in series.chunks(SHOWN_AT_ONCE) {
        // A shorter chunk names its last series several times.
        let padded = chunk
            .iter()
            .chain(std::iter::repeat(&chunk[chunk.len() - 1]));
        let mut values = args![project].to_vec();
        values.extend(padded.take(SHOWN_AT_ONCE).map(|id| Arg::from(id.id())));
        shown += tx.execute(SHOW_AGAIN.as_str(), &values).await?;
    }
    Ok(shown)
}
