//! A subtree of the directory from which all entries are missing at once.

use super::Dn;

/// Such a part, as it stands among the fields that many lost at once: what would follow from it waits in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a>(pub &'a str);

impl<'a> Place<'a> {
    /// No field is called so.
    const PREFIX: &'static str = "place ";

    /// The place that this stands for, if it stands for one.
    pub fn of(field: &'a str) -> Option<Self> {
        field.strip_prefix(Self::PREFIX).map(Self)
    }

    /// What a place stands there as.
    pub fn field(dn: &Dn) -> String {
        format!("{}{dn}", Self::PREFIX)
    }
}
