//! The clock of a life.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use rollcall::clock::Clock;

/// Time that passes when a life says so.
pub(crate) struct TestClock {
    says: AtomicI64,
    passed: AtomicI64,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.seconds()).unwrap()
    }
}

impl TestClock {
    pub(crate) fn new() -> Self {
        Self { says: AtomicI64::new(1_700_000_000), passed: AtomicI64::default() }
    }

    pub(crate) fn seconds(&self) -> i64 {
        self.says.load(Ordering::SeqCst)
    }

    /// How much time passed, however often it was set back.
    pub(crate) fn passed(&self) -> i64 {
        self.passed.load(Ordering::SeqCst)
    }

    /// So much time passes, or it is set back by that.
    pub(crate) fn pass(&self, seconds: i64) {
        self.says.fetch_add(seconds, Ordering::SeqCst);
        self.passed.fetch_add(seconds.max(0), Ordering::SeqCst);
    }
}
