//! The service's HTTP side: API and pages.

pub mod wording;
