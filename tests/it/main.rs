//! Everything that needs more than one room: one binary, so that it links once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

mod active_directory;
mod again;
mod apply;
mod approval;
mod architecture;
mod breaks;
mod by_need;
mod chart;
mod cli;
mod cluster;
mod compatibility;
mod conditions;
mod crds;
mod cuts;
mod deltas;
mod deploy;
mod discovery;
mod disk;
mod docs;
mod doors;
mod feeds;
mod generated;
mod holds;
mod idle;
mod import;
mod kills;
mod known_by;
mod ldap;
mod look_ups;
mod mailboxes;
mod manifests;
mod node;
mod operator;
mod renames;
mod replica;
mod scale;
mod serve;
mod source_contract;
mod support;
mod sync_repl;
mod target_contract;
mod text;
mod untold;
mod wipeouts;
