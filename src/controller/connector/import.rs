//! The read itself, beside the reconciles: they never wait for it.

use std::sync::Arc;

use jiff::Timestamp;
use tracing::Instrument as _;

use super::cancel::{Cancellable, cancelled};
use super::health::Asked;
use super::job::Begin;
use super::outcome::{self, Failure};
use super::resolved::Key;
use super::state::ConnectorState;
use crate::api::reason::connector as reasons;
use crate::clock::Clock;
use crate::controller::connector::status;
use crate::controller::context::Context;
use crate::controller::job::Job;
use crate::controller::refused::Refused;
use crate::controller::watched::WatchedKind;
use crate::source::{self, Session};
use crate::spec::{Connector, Content, Name};
use crate::sync::import::{self, ImportError, Imported, import};
use crate::telemetry::{self, Metrics};

/// A read that the service throttled looks everything up again after so many failures, and then no more.
const THROTTLED_AT_MOST: u32 = 3;

/// Begins the read; when it has ended, the connector and the policies that use it are looked at.
pub(super) fn begin(context: &Arc<Context>, name: &Name, begin: Begin) {
    let (context, name) = (context.clone(), name.clone());
    let span = tracing::info_span!(parent: None, "import", connector = %name);
    let jobs = context.clone();
    let work = async move {
        let Begin { connector, source, key, account, look_up_all, job } = begin;
        let read = read(&context, &connector, source, look_up_all, &job);
        let (places, queued) = ((&context.imports, &*name.namespace), context.metrics.queued_import());
        let ended = job.in_turn(places, queued, Box::pin(read)).await;
        let ended = ended.unwrap_or_else(|| Err(cancelled().into()));
        if let Some(error) = ended.as_ref().err().filter(|error| !is_cancelled(error)) {
            tracing::warn!(error = telemetry::chain(error), "the read failed");
            if let ImportError::Source(error) = error {
                error.log();
            }
        }
        let now = context.clock.now();
        context
            .connectors
            .with(&name, |state| state.ended(&name, ended, (key, account), now, &context.metrics));
        context.parts.wake(WatchedKind::Connector, &name);
        context.parts.wake_users(WatchedKind::Connector, &name);
    };
    jobs.spawn("an import", work.instrument(span));
}

async fn read(
    context: &Context,
    connector: &Connector,
    source: Session,
    look_up_all: bool,
    job: &Job<Option<Asked>>,
) -> Result<Imported, ImportError> {
    let look_ups = if look_up_all { usize::MAX } else { import::Options::LOOK_UPS };
    let options =
        import::Options { look_ups, timeout: connector.timeout, full_read_every: connector.full_read_every };
    let source = Cancellable { source, cancel: job.cancel.clone() };
    let clock: &dyn Clock = &*context.clock;
    let tell = job.progress_teller();
    let progress = move |came| tell(came, 0);
    // It holds much while it waits.
    Box::pin(import(&source, &context.store, &connector.name, options, clock, progress)).await
}

fn measure(metrics: &Metrics, name: &Name, ended: &Result<Imported, ImportError>) {
    let name = name.to_string();
    match ended {
        Ok(imported) => {
            let took = imported.finished_at.duration_since(imported.started_at).unsigned_abs();
            let info = &imported.info;
            let (users, contacts, groups) = (info.users, info.contacts, info.groups);
            let completed_at = imported.finished_at.as_second();
            let missed = imported.missed;
            let certificate_ends_at = imported.certificate_ends_at.map(Timestamp::as_second);
            let read = telemetry::Import {
                completed_at,
                took,
                users,
                contacts,
                groups,
                missed,
                certificate_ends_at,
            };
            metrics.imported(&name, reasons::READ.name, &read);
        }
        Err(error) if is_cancelled(error) => {}
        Err(error) => metrics.import_failed(&name, outcome::reason(error).name),
    }
}

impl ConnectorState {
    pub(super) fn ended(
        &mut self,
        name: &Name,
        ended: Result<Imported, ImportError>,
        (key, account): (Key, Content),
        now: Timestamp,
        metrics: &Metrics,
    ) {
        use source::Reason::{AuthenticationFailed, Cancelled, EngineNotConnected, TlsFailed, Unreachable};
        let asked = self.common.job.take().and_then(|job| job.cause);
        if self.tried.as_ref() != Some(&key) {
            // It was of a connector that is gone, whatever bears its name now.
            return;
        }
        // Not before: of what is gone nothing is measured any more. If it goes now, this is forgotten after that.
        measure(metrics, name, &ended);
        let failures = match &self.outcome {
            Some(Err(failure)) => failure.count,
            Some(Ok(_)) | None => 0,
        };
        if asked == Some(Asked::LookedUp)
            && ended.as_ref().is_err_and(|error| says_nothing_of_look_ups(error, failures))
        {
            self.ask(Asked::LookedUp);
        }
        match &ended {
            Err(ImportError::Source(error)) => match error.reason {
                AuthenticationFailed => self.refused.add(account),
                // It did not come to that.
                Unreachable | TlsFailed | Cancelled | EngineNotConnected => {}
                _ => self.refused = Refused::default(),
            },
            Err(_) => {}
            Ok(_) => self.refused = Refused::default(),
        }
        // Some permissions are there: somebody has consented since.
        let has_some = |error: &ImportError| matches!(error, ImportError::Source(error) if error.reason == source::Reason::PermissionMissing);
        self.is_declined &= ended.as_ref().is_err_and(|error| !has_some(error));
        match ended {
            Ok(imported) => self.outcome = Some(Ok(Box::new(status::read(&imported)))),
            // Somebody did not want it any more: it says nothing of the directory, and if it is wanted again
            // after all, it is as if it had not been tried.
            Err(error) if is_cancelled(&error) => {
                self.tried = None;
                if let (Some(Err(failure)), true) = (&mut self.outcome, !self.refused.is_empty()) {
                    // The password may have been shown: it is not again before its time.
                    failure.at = now;
                }
                return;
            }
            Err(error) => {
                let failure = Failure::new(&error, now, failures);
                // Another engine may be there, or the same one again: once, the next read does not wait for its turn.
                self.is_answered |= failures == 0 && failure.reason == reasons::ENGINE_NOT_CONNECTED;
                self.outcome = Some(Err(failure));
            }
        }
        self.finished = Some(key);
    }
}

/// Whether a read ended before it came to its look-ups: they are asked for again. Of one that took too long or exceeded a limit
/// they may be the reason. A service that asks for a pause mostly does so because of others; but if it does so again and
/// again (`failures` in a row before this one), the look-ups must not keep all else from being read.
fn says_nothing_of_look_ups(error: &ImportError, failures: u32) -> bool {
    use source::Reason::{
        AuthenticationFailed, Cancelled, EngineNotConnected, Throttled, TlsFailed, Unreachable,
    };
    let ImportError::Source(error) = error else { return false };
    match error.reason {
        Unreachable | TlsFailed | AuthenticationFailed | Cancelled | EngineNotConnected => true,
        Throttled => failures < THROTTLED_AT_MOST,
        _ => false,
    }
}

fn is_cancelled(error: &ImportError) -> bool {
    matches!(error, ImportError::Source(error) if error.reason == source::Reason::Cancelled)
}
