//! What is known of an engine.

use jiff::{SignedDuration, Timestamp};

use crate::directory::ConnectorName;
use crate::wire::KeyId;

/// A process of an engine, as its signature proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Whose engine it is.
    pub connector: ConnectorName,
    /// Which engine of it.
    pub key: KeyId,
    /// Which process of that: a later one has a greater text.
    pub session: String,
}

/// What an engine says of itself, and when it did last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub at: Timestamp,
    /// The version of its software.
    pub software: String,
    /// Its machine.
    pub host: String,
    /// How far its clock is ahead.
    pub skew: SignedDuration,
    /// Why it was refused, or does nothing.
    pub trouble: Option<Trouble>,
}

/// Why an engine was refused, or does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// In one word of [`crate::wire::code`], or [`Trouble::STOPPED`].
    pub code: &'static str,
    /// For people.
    pub why: String,
}

impl Trouble {
    /// Somebody stopped it where it runs.
    pub const STOPPED: &str = "stopped";
}

/// How an engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Which one.
    pub key: KeyId,
    /// Whether it is the one that reads; the others stand by.
    pub is_active: bool,
    /// Whether it is connected.
    pub is_connected: bool,
    /// What it said last, if it was there since the operator began.
    pub seen: Option<Seen>,
}
