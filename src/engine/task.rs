//! One task: a read or a look-up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::mpsc;

use super::directory;
use super::last::Remote;
use super::line::{Line, LineError};
use super::send::{SHORT, Sending, is_gone, packed, patiently};
use super::settings::Settings;
use super::veto::{Sieve, Veto};
use crate::directory::{Anchor, Batch, Cursor};
use crate::hex;
use crate::source::engine::{ended, failure, looked_up};
use crate::source::{Reason, Session, Sink, Source as _, SourceError};
use crate::wire::{self, Chain, End, Outcome, Task, code, path};

/// What tasks share.
pub(super) struct Desk {
    pub(super) line: Arc<Line>,
    /// The session of the last read, for the look-ups after it.
    session: Mutex<Option<(wire::Directory, Session)>>,
    /// When the last read began.
    began: Mutex<Option<Instant>>,
}

impl Desk {
    pub(super) fn new(line: Arc<Line>) -> Self {
        Self { line, session: Mutex::default(), began: Mutex::default() }
    }

    /// Does a task, and says how it ended.
    pub(super) async fn work(&self, settings: &Settings, task: Task) {
        let id = task.id.clone();
        let outcome = match (&task.read, &task.look_up) {
            (Some(read), None) => self.read(settings, &task, read).await,
            (None, Some(look_up)) => self.look_up(settings, look_up).await,
            _ => {
                Ok(failed(&SourceError::new(Reason::InvalidData, "the task is neither a read nor a look-up")))
            }
        };
        let end = match outcome {
            Ok(outcome) => End { outcome },
            Err(error) if is_gone(&error) => {
                tracing::info!(task = id, "the operator does not want this any more");
                return;
            }
            Err(error) => {
                let message = if error.code() == Some(code::CHAIN) {
                    // A part of it was sent before it was started again.
                    "engine.yaml changed during this read, or what was sent was altered on the way; nothing of it is used, and the next \
                     read starts over"
                        .to_owned()
                } else {
                    format!("what was read could not be sent: {error}")
                };
                End { outcome: failed(&SourceError::new(Reason::Interrupted, message)) }
            }
        };
        let sent = match wire::pack(&end) {
            Ok(body) => {
                patiently::<wire::Receipt>(&self.line, &path::end(&id), &body, SHORT).await.map(|_| ())
            }
            Err(why) => Err(LineError::Odd(why.to_string())),
        };
        match sent {
            Ok(()) => tracing::info!(task = id, "the task has ended"),
            Err(error) => tracing::warn!(task = id, %error, "the end of the task was not taken"),
        }
    }

    async fn read(&self, settings: &Settings, task: &Task, read: &wire::Read) -> Result<Outcome, LineError> {
        let prepared = prepare(settings, &read.directory).and_then(|(veto, config)| {
            self.not_too_soon(settings)?;
            Ok((veto, config))
        });
        let (veto, config) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return Ok(failed(&error)),
        };
        let cursor = read.cursor.as_deref().and_then(hex::decode).map(Cursor);
        let cursor = cursor.and_then(|cursor| veto.resumes(self.line.key(), &cursor));
        let session = config.open(None);
        *self.session() = Some((read.directory.clone(), session.clone()));
        let remote = Remote {
            line: self.line.clone(),
            task: task.id.clone(),
            known_by: read.known_by.clone(),
            runtime: tokio::runtime::Handle::current(),
        };
        let (batches, came) = mpsc::channel::<Batch>(1);
        let sink = Sink::after(Arc::new(remote), batches);
        let reading = Box::pin(session.read(cursor.as_ref(), sink));
        let mut sieve = Sieve::new(&veto, &read.directory);
        let mut sending = Sending::new(&self.line, &task.id, Chain::of_task(task));
        // If what is sent is not taken, nobody listens to the read any more, which ends it.
        let sending_all = async {
            let mut came = came;
            while let Some(Batch(changes)) = came.recv().await {
                let changes: Vec<_> = changes.into_iter().filter_map(|change| sieve.change(change)).collect();
                if changes.is_empty() {
                    continue;
                }
                let packed = tokio::task::spawn_blocking(move || packed(changes)).await;
                let packed = packed.map_err(|error| error.to_string()).and_then(|packed| packed);
                for batch in packed.map_err(LineError::Odd)? {
                    sending.batch(&batch).await?;
                }
            }
            Ok::<_, LineError>(())
        };
        let (end, sent) = tokio::join!(reading, sending_all);
        sent?;
        Ok(match end {
            Ok(completion) => {
                // A change alone says nothing of what other rules withheld: the next read resumes only under these.
                let mut completion = sieve.completion(completion);
                completion.cursor = completion.cursor.map(|cursor| veto.bound(self.line.key(), &cursor));
                Outcome::Complete(sending.chain.seal(), Box::new(ended(completion)))
            }
            Err(error) => {
                error.log();
                failed(&error)
            }
        })
    }

    async fn look_up(&self, settings: &Settings, asked: &wire::LookUp) -> Result<Outcome, LineError> {
        let (veto, config) = match prepare(settings, &asked.directory) {
            Ok(prepared) => prepared,
            Err(error) => return Ok(failed(&error)),
        };
        let known = self.session().clone().filter(|(directory, _)| *directory == asked.directory);
        let session = known.map_or_else(|| config.open(None), |(_, session)| session);
        let anchors: Vec<Anchor> = asked.anchors.iter().map(|anchor| Anchor::new(anchor.as_str())).collect();
        let called: HashMap<Anchor, String> =
            asked.called.iter().map(|(anchor, dn)| (Anchor::new(anchor.as_str()), dn.clone())).collect();
        // Where nothing may leave, nothing is looked for by its name; and without that nobody is known to have left.
        let (called, withheld) = veto.called(called);
        Ok(match Box::pin(session.look_up(&anchors, &called)).await {
            Ok(Some(found)) => Outcome::LookedUp(Box::new(looked_up(veto.looked_up(found, &withheld)))),
            Ok(None) => {
                failed(&SourceError::new(Reason::InvalidData, "the directory cannot be looked up in"))
            }
            Err(error) => {
                error.log();
                failed(&error)
            }
        })
    }

    /// Whoever runs the engine says how often the directory may be read.
    fn not_too_soon(&self, settings: &Settings) -> Result<(), SourceError> {
        let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        let since = began.map(|began| began.elapsed());
        let left = since.map_or_else(Default::default, |since| settings.pause().saturating_sub(since));
        if left.is_zero() {
            *began = Some(Instant::now());
            return Ok(());
        }
        let message = "the engine's engine.yaml does not let the directory be read so often (notMoreOftenThan): set the connector's interval \
                       to at least that";
        Err(SourceError::new(Reason::Throttled, message)
            .after(Some(left + std::time::Duration::from_secs(1))))
    }

    fn session(&self) -> std::sync::MutexGuard<'_, Option<(wire::Directory, Session)>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn prepare(
    settings: &Settings,
    asked: &wire::Directory,
) -> Result<(Veto, crate::source::SourceConfig), SourceError> {
    let veto = settings.veto().map_err(|why| SourceError::new(Reason::InvalidData, why))?;
    let config = directory::config(settings, &veto, asked)?;
    Ok((veto, config))
}

fn failed(error: &SourceError) -> Outcome {
    Outcome::Failed(failure(error))
}
