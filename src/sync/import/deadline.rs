//! Until when an import may ask its source.

use std::time::Duration;

use tokio::time::Instant;

use crate::source::{Reason, SourceError};

/// One for the whole import: the read, and every look-up after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    at: Instant,
    timeout: Duration,
}

impl Deadline {
    /// So long from now.
    pub(super) fn after(timeout: Duration) -> Self {
        Self { at: Instant::now() + timeout, timeout }
    }

    /// Whether nothing may be asked any more.
    pub(super) fn has_passed(self) -> bool {
        Instant::now() >= self.at
    }

    /// The answer, if it comes in time.
    pub(super) async fn answer<T>(
        self,
        answer: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        tokio::time::timeout_at(self.at, answer).await.unwrap_or_else(|_| {
            let message = format!(
                "the read took longer than {} s and was stopped; nothing of it was used. Raise spec.timeout, or \
                 narrow what is read",
                self.timeout.as_secs()
            );
            Err(SourceError::new(Reason::Interrupted, message))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_answer_has_only_what_those_before_it_left() {
        let deadline = Deadline::after(Duration::from_secs(10));
        let after = |seconds| async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok(())
        };
        deadline.answer(after(6)).await.unwrap();
        let ended = deadline.answer(after(6)).await.unwrap_err();
        assert!(ended.to_string().contains("took longer than 10 s"), "{ended}");
    }
}
