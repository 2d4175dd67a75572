//! The service's HTTP side: API and pages. Handlers are thin: extract, ask the store, ask the statistics, answer.

pub mod api;
pub mod auth;
mod body;
mod csv;
pub mod error;
pub mod ingest;
pub mod known;
pub mod wording;

use std::sync::Arc;

use crate::store::Store;
use crate::writer::Writer;

/// What every handler may use; cheap to clone, holds no state of its own that is not a cache.
#[derive(Debug, Clone)]
pub struct App {
    /// The database.
    pub store: Store,
    /// The way in.
    pub writer: Writer,
    /// What was looked up lately.
    pub known: Arc<known::Known>,
    /// How this server was started.
    pub settings: Arc<Settings>,
}

/// How a server was started.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Whether anyone who reaches the port may read.
    pub public_read: bool,
    /// The address at which people reach it, for links in alerts.
    pub public_url: String,
    /// Whether webhooks may go to private addresses.
    pub allow_private_routes: bool,
}
