//! The end of a chain.

use serde::{Deserialize, Serialize};

/// The end of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Seal {
    /// How many parts there were.
    pub parts: u64,
    /// The digest of all of them, as hexadecimal digits.
    pub digest: String,
}
