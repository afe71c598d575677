//! Whether contacts are wanted: mail addresses without an account.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether contacts are wanted, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Contacts {
    /// They are.
    Include,
    /// They are not.
    #[default]
    Exclude,
}
