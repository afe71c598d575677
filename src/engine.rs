//! The Sync Engine: an agent inside a network that nobody may reach. It asks the operator's gateway for work, reads the directory, and
//! brings what it found.
//!
//! # Guarantees
//! - It listens nowhere: every connection is one that it makes, to the gateway (or its proxy) and to the directory.
//! - It writes nothing to the directory: it has no code for that.
//! - Where the directory is, who reads it, and what may leave the network, its own file alone says. What may not leave is not
//!   sent, is unknown at the other end (never empty, never absent), and is named there.
//! - Its private key and the directory's password are sent nowhere.

mod check;
mod directory;
mod identity;
mod join;
mod last;
mod line;
mod run;
mod send;
mod settings;
mod task;
mod veto;

pub use check::{Finding, check};
pub use identity::{Identity, IdentityError};
pub use join::{JoinError, join};
pub use line::{Line, LineError};
pub use run::run;
pub use settings::{Settings, SettingsError};
