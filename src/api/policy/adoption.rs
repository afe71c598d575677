//! Whether what exists at the target already becomes the policy's own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether objects that exist at the target already become the policy's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Adoption {
    /// An object that matches becomes the policy's own. Of several that match, none does.
    #[default]
    Match,
    /// None does, except those that bear Rollcall's key.
    Never,
}
