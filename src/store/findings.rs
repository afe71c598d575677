//! What was found when the store was looked at.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

/// What was found of the database's structure, and of each table's rows of each part.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) all: Mutex<All>,
    /// Of several who want to know the same, one looks.
    pub(super) looking: Mutex<()>,
}

#[derive(Debug, Default)]
pub(super) struct All {
    /// When everything was looked at last: what is not among the others was sound.
    pub(super) whole: Option<Instant>,
    pub(super) each: HashMap<(&'static str, i64), Finding>,
}

#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) at: Instant,
    pub(super) damage: Option<String>,
}
