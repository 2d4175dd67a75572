//! The one integration binary: a module a subject.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alert;
mod backup;
mod cli_gate;
mod cli_parse;
mod cli_push;
mod cli_stub;
mod deletion;
mod demo_story;
mod differential;
mod durability;
mod export;
mod fixtures;
mod forgetting;
mod ground;
mod growth;
mod ingest;
mod interleavings;
mod migrations;
mod notifier;
mod outage;
mod page_views;
mod plans;
mod pooler;
mod process;
mod replay;
mod restarts;
mod retention;
mod security;
mod seeds;
mod tidy;
mod writers;
