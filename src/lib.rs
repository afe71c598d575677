//! Rollcall keeps users and groups in step with the company directory.
//!
//! `docs/concepts.md` has the picture; `directory` has the words.

// What is printed is cleaned: see cli::out.
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod api;
pub mod cli;
pub mod clock;
pub mod controller;
pub mod directory;
pub mod engine;
pub mod gateway;
pub mod hex;
pub mod net;
pub mod scim;
pub mod secret;
pub mod serve;
pub mod source;
pub mod spec;
pub mod store;
pub mod sync;
pub mod target;
pub mod telemetry;
pub mod text;
pub mod wire;
pub mod words;
