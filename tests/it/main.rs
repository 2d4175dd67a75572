//! The one integration binary: a module a subject.

mod cli_gate;
mod cli_parse;
mod cli_push;
mod cli_stub;
mod tidy;
