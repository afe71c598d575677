//! Turns: one executor for each target identity, shared by all policies. Whoever calls a target takes a turn before each
//! call and says afterwards what came of it, so that rates, waits and lanes are those of the target and not of one run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::capability::Rates;
use super::lane::Lane;
pub use super::schedule::{Call, Said};
use super::schedule::{Next, Schedule, Ticket};
use crate::directory::{TargetError, TargetReason};

/// No write takes longer: it must end before the lease can.
pub const LONGEST_WRITE: Duration = Duration::from_secs(8);
/// A target that asks for more patience than this is left for a later run.
const PATIENCE: Duration = Duration::from_mins(5);
/// How soon it is looked again whether a write may begin.
const AGAIN: Duration = Duration::from_millis(500);

/// The executors of all targets, by identity. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Executors(Arc<Mutex<HashMap<String, Arc<Executor>>>>);

/// Who may call one target now.
#[derive(Debug)]
struct Executor {
    schedule: Mutex<Schedule>,
    changed: Notify,
    began: Instant,
}

/// Whether a write may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum May {
    /// It may.
    Yes,
    /// Not at the moment: the lease would end before it.
    NotNow,
    /// Not any more, for this reason.
    Never(String),
}

/// Asked before each write.
type Permit = Arc<dyn Fn() -> May + Send + Sync>;

/// How one run comes to its turns at one target.
#[derive(Clone)]
pub struct Turns {
    executor: Arc<Executor>,
    permit: Permit,
    lane: Lane,
}

/// A call may be made. It is over when this is dropped.
#[derive(Debug)]
pub struct Turn {
    executor: Arc<Executor>,
    said: Said,
}

impl Executors {
    /// The turns of a run at the target of this identity; `permit` says whether a write may begin.
    pub fn turns(&self, identity: &str, permit: impl Fn() -> May + Send + Sync + 'static) -> Turns {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let executor = all.entry(identity.to_owned()).or_default().clone();
        Turns { executor, permit: Arc::new(permit), lane: Lane::Rest }
    }
}

impl Default for Executor {
    fn default() -> Self {
        Self { schedule: Mutex::new(Schedule::new()), changed: Notify::new(), began: Instant::now() }
    }
}

impl Executor {
    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Turns {
    /// Those of somebody who shares the target with nobody.
    pub fn free() -> Self {
        Executors::default().turns("", || May::Yes)
    }

    /// The same, in another lane.
    #[must_use]
    pub fn in_lane(&self, lane: Lane) -> Self {
        Self { lane, ..self.clone() }
    }

    /// What is known of the target's limits from here on.
    pub fn limit(&self, at_once: usize, rates: Rates) {
        self.executor.schedule().limit(at_once, rates);
        self.executor.changed.notify_waiters();
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// When nothing may be written any more, or the target asks for more patience than there is. Nothing was sent.
    pub async fn take(&self, call: Call) -> Result<Turn, TargetError> {
        let mut waiting =
            Waiting { executor: &self.executor, ticket: Some(self.executor.schedule().ask(self.lane)) };
        loop {
            let changed = self.executor.changed.notified();
            tokio::pin!(changed);
            // From here on nothing that changes is missed.
            changed.as_mut().enable();
            if call == Call::Write {
                match (self.permit)() {
                    May::Yes => {}
                    May::Never(why) => return Err(TargetError::new(TargetReason::Stopped, why)),
                    May::NotNow => {
                        sleep(AGAIN).await;
                        continue;
                    }
                }
            }
            let Some(ticket) = waiting.ticket else { return Err(stopped()) };
            let now = self.executor.now();
            let (next, quiet_until) = {
                let mut schedule = self.executor.schedule();
                (schedule.next(ticket, call, now), schedule.quiet_until())
            };
            if next != Next::Call && quiet_until > now + PATIENCE {
                return Err(busy(quiet_until.saturating_sub(now)));
            }
            match next {
                Next::Call => {
                    waiting.ticket = None;
                    // The next one may go at the same time.
                    self.executor.changed.notify_waiters();
                    return Ok(Turn { executor: self.executor.clone(), said: Said::default() });
                }
                Next::Later => changed.await,
                Next::At(then) => {
                    tokio::select! {
                        () = sleep_until(self.executor.began + then) => {}
                        () = changed => {}
                    }
                }
            }
        }
    }
}

impl Turn {
    /// What the answer says of the target's rate.
    pub fn said(mut self, said: Said) {
        self.said = said;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let now = self.executor.now();
        self.executor.schedule().done(self.said, now);
        self.executor.changed.notify_waiters();
    }
}

/// Somebody who waits, and does so no more when this is dropped.
struct Waiting<'a> {
    executor: &'a Executor,
    ticket: Option<Ticket>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.executor.schedule().leave(ticket);
            self.executor.changed.notify_waiters();
        }
    }
}

fn stopped() -> TargetError {
    TargetError::new(TargetReason::Stopped, "the run was stopped")
}

fn busy(wait: Duration) -> TargetError {
    let seconds = wait.as_secs();
    let message = format!(
        "the target limits the requests and asks to wait {seconds} s; a later run continues from here"
    );
    TargetError::new(TargetReason::Throttled, message).again_after(Some(wait))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn two_policies_at_one_target_share_its_patience() {
        let executors = Executors::default();
        let [one, other] = [(); 2].map(|()| executors.turns("scim:https://app.example", || May::Yes));
        let elsewhere = executors.turns("scim:https://other.example", || May::Yes);
        let turn = one.take(Call::Write).await.unwrap();
        turn.said(Said { status: 429, retry_after: Some(secs(20)), remaining: None });
        let began = Instant::now();
        drop(elsewhere.take(Call::Write).await.unwrap());
        assert_eq!(began.elapsed(), secs(0));
        let turn = other.take(Call::Write).await.unwrap();
        assert_eq!(began.elapsed(), secs(20));
        turn.said(Said { status: 429, retry_after: Some(secs(1200)), remaining: None });
        // A later run is told at once.
        let error =
            executors.turns("scim:https://app.example", || May::Yes).take(Call::Read).await.unwrap_err();
        assert_eq!((error.reason, began.elapsed()), (TargetReason::Throttled, secs(20)));
        assert!(error.retry_after.unwrap() > secs(1100));
    }

    #[tokio::test(start_paused = true)]
    async fn a_leaver_of_one_policy_goes_before_what_waits_of_another() {
        let executors = Executors::default();
        let updates = executors.turns("a", || May::Yes);
        let leavers = executors.turns("a", || May::Yes).in_lane(Lane::Leavers);
        let order = Arc::new(Mutex::new(Vec::new()));
        let held = updates.take(Call::Write).await.unwrap();
        let waits = |turns: Turns, name: &'static str| {
            let order = order.clone();
            tokio::spawn(async move {
                let turn = turns.take(Call::Write).await.unwrap();
                order.lock().unwrap().push(name);
                drop(turn);
            })
        };
        let mut all: Vec<_> = (0..50).map(|_| waits(updates.clone(), "update")).collect();
        tokio::task::yield_now().await;
        all.push(waits(leavers, "leaver"));
        tokio::task::yield_now().await;
        drop(held);
        for one in all {
            one.await.unwrap();
        }
        let order = order.lock().unwrap();
        assert_eq!((order[0], order.len()), ("leaver", 51));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_written_that_the_lease_would_not_outlast() {
        let ours = Arc::new(AtomicBool::new(false));
        let lease = ours.clone();
        let may = move || if lease.load(Ordering::SeqCst) { May::Yes } else { May::NotNow };
        let turns = Executors::default().turns("a", may);
        drop(turns.take(Call::Read).await.unwrap());
        let waits = tokio::spawn(async move { turns.take(Call::Write).await.map(drop) });
        sleep(secs(3)).await;
        assert!(!waits.is_finished());
        ours.store(true, Ordering::SeqCst);
        assert_eq!(waits.await.unwrap(), Ok(()));
        let turns = Executors::default().turns("a", || May::Never("the lease was lost".to_owned()));
        let error = turns.take(Call::Write).await.unwrap_err();
        assert_eq!((error.reason, error.message.as_str()), (TargetReason::Stopped, "the lease was lost"));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_waiting_is_waited_for_by_nobody() {
        let turns = Executors::default().turns("a", || May::Yes);
        let held = turns.take(Call::Write).await.unwrap();
        let first = turns.in_lane(Lane::Leavers);
        assert!(tokio::time::timeout(secs(1), first.take(Call::Write)).await.is_err());
        drop(held);
        drop(turns.take(Call::Write).await.unwrap());
    }
}
