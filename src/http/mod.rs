//! The service's HTTP side: API and pages.
