//! Others that take measurements durably, with the same clients as Longwatch in turn: InfluxDB and the Lighthouse CI server.
//! Both run in temporary directories on loopback and send nothing anywhere.

mod influx;
mod lighthouse;

use crate::Effort;
use crate::table::Table;

/// Measures what can be had of the peers.
pub(crate) fn measure(table: &mut Table, effort: Effort) {
    influx::measure(table, effort);
    lighthouse::measure(table, effort);
}
