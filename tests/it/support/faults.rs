//! What tests of faults share: dice with a seed, how often, and what was counted.

use std::fmt::Arguments;
use std::time::{Duration, Instant};

/// Numbers from a seed (splitmix64); `SEED` names another one.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new() -> Self {
        Self::of(count("SEED", 1))
    }

    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// From 0 up to 1.
    #[expect(clippy::cast_precision_loss, reason = "32 bits are exact")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 32) as f64 / (1_u64 << 32) as f64
    }
}

/// Lets so much time go by: a fault comes at a moment, not when something has happened.
pub(crate) fn pass(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
}

/// How often: what the environment says, else as often as every test run affords.
pub(crate) fn count(name: &str, else_: u64) -> u64 {
    std::env::var(name).ok().map_or(else_, |text| text.parse().expect("a number"))
}

/// What `make faults` prints.
pub(crate) fn tell(what: Arguments<'_>) {
    println!("{what}");
}
