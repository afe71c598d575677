//! What is wrong with an object.

use std::fmt;

/// What is wrong with an object, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Which object (`SyncPolicy identity/staff`), or which file.
    pub object: String,
    /// Which field of it (`spec.users.where`); empty for the object as a whole.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
    /// Whether it lies in another object, which is not there or does not hold what it must: it may be mended without an
    /// edit of this one.
    pub elsewhere: bool,
}

impl Problem {
    /// A problem of one field of an object.
    pub fn new(object: &str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { object: object.to_owned(), field: field.into(), message: message.into(), elsewhere: false }
    }

    /// A problem of what a field refers to.
    pub fn elsewhere(object: &str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { elsewhere: true, ..Self::new(object, field, message) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, field, message, .. } = self;
        if field.is_empty() {
            write!(f, "{object}: {message}")
        } else {
            write!(f, "{object}: {field}: {message}")
        }
    }
}
