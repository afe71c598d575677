//! Progress on a terminal; nothing if standard error is not a terminal.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::text::clean;

/// Shows the progress of a long operation.
#[derive(Clone)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// An operation of unknown length.
    pub(super) fn open(what: &str) -> Self {
        Self::new(what, "{spinner} {msg}, entries: {human_pos}, {elapsed}")
    }

    /// An operation whose length is known when it starts.
    pub(super) fn counted(what: &str) -> Self {
        Self::new(what, "{spinner} {msg}, operations: {human_pos} of {human_len}, {elapsed}")
    }

    fn new(what: &str, template: &str) -> Self {
        let bar = ProgressBar::no_length();
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(clean(what).into_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    pub(super) fn at(&self, done: u64) {
        self.0.set_position(done);
    }

    pub(super) fn of(&self, done: u64, all: u64) {
        self.0.set_length(all);
        self.0.set_position(done);
    }

    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
