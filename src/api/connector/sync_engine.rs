//! An agent inside a network that nobody may reach.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Sync Engine: an agent inside the directory's network, which only makes outbound connections. Where the directory is and who
/// reads it stays in its own file. `status.engine` says how it joins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SyncEngine {}
