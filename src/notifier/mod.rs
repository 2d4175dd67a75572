//! Delivers findings to their owners.
pub mod message;
