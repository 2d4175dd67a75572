//! Longwatch: a performance regression observatory.
#![doc = include_str!("architecture.md")]

pub mod blind_spots;
pub mod chart;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod detector;
pub mod folder;
pub mod http;
pub mod intake;
pub mod notifier;
pub mod record;
pub mod service;
pub mod standing;
pub mod stats;
pub mod store;
pub mod upkeep;
pub mod verdict;
pub mod wording;
pub mod writer;

/// Beacons are many small pieces of memory that one thread takes and another gives back: what the system's allocator is
/// slow at. This one also returns what a large upload needed, within seconds.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
