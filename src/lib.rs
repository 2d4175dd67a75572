//! Longwatch: a performance regression observatory.
#![doc = include_str!("architecture.md")]

pub mod chart;
pub mod cli;
pub mod config;
pub mod demo;
pub mod detector;
pub mod folder;
pub mod http;
pub mod notifier;
pub mod stats;
pub mod store;
pub mod writer;
