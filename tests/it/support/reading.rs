//! How the tests read a directory, where they say nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rollcall::source::ldif::{Input, LdifConfig};
use rollcall::sync::import;

/// More look-ups and time than a test needs.
pub(crate) fn options() -> import::Options {
    import::Options {
        look_ups: 1000,
        timeout: Duration::from_mins(1),
        full_read_every: Duration::from_hours(24),
    }
}

/// An export with this text.
pub(crate) fn export(text: &str) -> LdifConfig {
    LdifConfig {
        user_filter: None,
        group_filter: None,
        input: Input::Text(Arc::from(text.as_bytes())),
        name: "the export".to_owned(),
        directory_id: None,
        anchor: None,
        literal: BTreeSet::new(),
    }
}
