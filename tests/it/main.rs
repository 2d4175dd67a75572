//! The one integration binary: a module a subject.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alert;
mod cli_gate;
mod cli_parse;
mod cli_push;
mod cli_stub;
mod deletion;
mod demo_story;
mod durability;
mod fixtures;
mod ground;
mod ingest;
mod notifier;
mod process;
mod security;
mod tidy;
