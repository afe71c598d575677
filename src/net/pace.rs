//! A budget of requests in time, which all share who name the same one.
//!
//! Each request takes its part of a minute. Whoever was idle may send a few at once; over any minute no more are sent than
//! whoever sends them says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

/// So much of the budget may be used at once after a pause.
const BURST: Duration = Duration::from_secs(5);
/// With it, no minute has more than the budget.
const SHARE: f64 = 0.9;

/// The budgets that somebody has.
static ALL: Mutex<BTreeMap<String, Weak<Mutex<Budget>>>> = Mutex::new(BTreeMap::new());

/// A part in a budget.
#[derive(Clone, Debug)]
pub struct Pace {
    budget: Arc<Mutex<Budget>>,
    /// What one request takes.
    each: Duration,
}

/// Until when it is spent.
#[derive(Debug, Default)]
struct Budget(Option<Instant>);

impl Pace {
    /// A part in the budget of this name, with so many requests a minute.
    pub fn of(name: &str, per_minute: u32) -> Self {
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, budget| budget.strong_count() > 0);
        let budget = all.get(name).and_then(Weak::upgrade).unwrap_or_default();
        all.insert(name.to_owned(), Arc::downgrade(&budget));
        Self { budget, each: Duration::from_mins(1).div_f64(SHARE * f64::from(per_minute.max(1))) }
    }

    /// Waits until a request may be sent.
    pub async fn turn(&self) {
        let now = Instant::now();
        let wait = self.budget.lock().unwrap_or_else(PoisonError::into_inner).take(now, self.each);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Nobody who shares it sends anything for so long.
    pub fn pause(&self, wait: Duration) {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.pause(Instant::now(), wait);
    }
}

impl Budget {
    /// Takes a part; how long to wait before it may be used.
    fn take(&mut self, now: Instant, each: Duration) -> Duration {
        let spent = self.0.map_or(now, |spent| spent.max(now)) + each;
        self.0 = Some(spent);
        spent.duration_since(now).saturating_sub(BURST)
    }

    fn pause(&mut self, now: Instant, wait: Duration) {
        let until = now.checked_add(wait + BURST).unwrap_or(now + BURST);
        self.0 = Some(self.0.map_or(until, |spent| spent.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_has_more_than_the_budget() {
        let pace = Pace::of("a_minute", 600);
        let (begin, mut budget) = (Instant::now(), Budget::default());
        let mut sent: Vec<Duration> = Vec::new();
        for _ in 0..1500 {
            // Each asks when the one before was sent.
            let now = begin + sent.last().copied().unwrap_or_default();
            sent.push((now - begin) + budget.take(now, pace.each));
        }
        let within = |from: usize| {
            sent[from..].iter().take_while(|at| **at < sent[from] + Duration::from_mins(1)).count()
        };
        assert!((0..sent.len()).all(|from| within(from) <= 600), "{}", within(0));
        assert!(within(0) > 550, "and it is used: {}", within(0));
        assert_eq!(sent[20], Duration::ZERO, "a few go at once");
    }

    #[tokio::test(start_paused = true)]
    async fn who_names_the_same_one_shares_it() {
        let (one, other, alone) = (Pace::of("shared", 60), Pace::of("shared", 60), Pace::of("alone", 60));
        one.pause(Duration::from_secs(30));
        let begun = Instant::now();
        alone.turn().await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        other.turn().await;
        assert!(begun.elapsed() >= Duration::from_secs(30));
    }
}
