//! An agent inside a network that nobody may reach.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Sync Engine: an agent inside the directory's network, which only makes outbound connections. Where the directory is and who
/// reads it stays in its own file. `status.engine` says how it joins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SyncEngine {
    /// So many engines may join, each on a machine of its own, with a token and a key of its own. One of them reads; the others stand by,
    /// and one of them takes over within seconds when it is gone.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 5))]
    pub engines: u32,
}

impl SyncEngine {
    /// No connector has more engines.
    pub const MOST: u32 = 5;
}

fn one() -> u32 {
    1
}
