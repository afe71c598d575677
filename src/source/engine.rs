//! A directory that is read through a Sync Engine: an agent inside its network, which asks for work.
//!
//! A configuration and a cursor go out as a task; batches, questions to the last read and an end come in. A completion is made of an end
//! only after the chain of everything before it proved whole, and only of an answer to what was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use self::engines::Ticket;
use self::intake::Event;
use super::{LookUp, Reason, Sink, Source, SourceError};
use crate::directory::{Anchor, Completion, Cursor};
use crate::hex;
use crate::wire;

mod config;
mod engines;
mod enrolled;
mod intake;
mod refused;
mod seen;
mod told;

pub use config::EngineConfig;
pub use engines::Engines;
pub use enrolled::{SILENCE, TAKEOVER};
pub use refused::Refused;
pub use seen::{Process, Seen, State, Trouble};
pub use told::{ended, failure, looked_up};

/// An engine that is not connected may come within so long: the operator or the engine was just started.
const COMING: Duration = Duration::from_secs(30);
/// What is said of what another engine cannot finish.
const GONE: &str = "the Sync Engine that read was started again, its key was revoked, or another engine took over: what it did not finish is \
                    not used, and nobody is removed because of it";
/// How often it is looked whether the engine is still there.
const LOOK: Duration = Duration::from_secs(5);

/// A directory that is read through a Sync Engine.
#[derive(Clone, Debug)]
pub struct EngineSource {
    config: EngineConfig,
    /// Which process of which engine read last. Another one may see less of the directory: it looks nobody up for this read.
    reader: Arc<Mutex<Option<Process>>>,
}

impl EngineSource {
    /// The one of this configuration.
    pub fn new(config: EngineConfig) -> Self {
        Self { config, reader: Arc::default() }
    }

    fn ask(
        &self,
        what: impl FnOnce(String) -> wire::Task,
        sink: Option<Sink>,
        of: Option<Process>,
    ) -> Result<Ticket, SourceError> {
        let EngineConfig { engines, connector, .. } = &self.config;
        let message = if of.is_some() {
            GONE
        } else {
            "no Sync Engine has joined: run the command in status.engine.joinCommand inside the directory's network"
        };
        let ticket = engines.ask(connector, what, sink, of);
        ticket.ok_or_else(|| SourceError::new(Reason::EngineNotConnected, message))
    }

    fn reader(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What comes next. An engine that says nothing for too long is not waited for.
    async fn next(&self, ticket: &mut Ticket, began: tokio::time::Instant) -> Result<Event, SourceError> {
        loop {
            match tokio::time::timeout(LOOK, ticket.next()).await {
                Ok(Some(event)) => return Ok(event),
                Ok(None) => return Err(SourceError::new(Reason::EngineNotConnected, GONE)),
                Err(_) => {}
            }
            let silent = ticket.silence().is_none_or(|silence| silence > SILENCE);
            if silent && began.elapsed() >= COMING {
                let message = ticket.trouble().unwrap_or_else(|| {
                    "the Sync Engine is not connected: on its machine, look at `systemctl status rollcall-engine` and run \
                     `rollcall engine check`. Nobody is removed because of it"
                        .to_owned()
                });
                return Err(SourceError::new(Reason::EngineNotConnected, message));
            }
        }
    }
}

fn odd() -> SourceError {
    SourceError::new(Reason::InvalidData, "the Sync Engine answered another question; nothing of it was used")
}

impl Source for EngineSource {
    async fn read(&self, cursor: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        let directory = &self.config.directory;
        let read = wire::Read {
            directory: directory.clone(),
            cursor: cursor.map(|cursor| hex::encode(&cursor.0)),
            known_by: sink.known_by().map(told::known_by),
        };
        let what = |id| wire::Task { id, read: Some(Box::new(read)), look_up: None };
        let began = tokio::time::Instant::now();
        let mut ticket = self.ask(what, Some(sink.clone()), None)?;
        loop {
            match self.next(&mut ticket, began).await? {
                Event::Batch(batch) => sink.send(batch).await?,
                Event::Complete(by, end) => {
                    *self.reader() = Some(by);
                    return told::completion(*end, cursor.is_some(), directory);
                }
                Event::Failed(error) => return Err(error),
                Event::LookedUp(..) => return Err(odd()),
            }
        }
    }

    async fn look_up(
        &self,
        anchors: &[Anchor],
        called: &HashMap<Anchor, String>,
    ) -> Result<Option<LookUp>, SourceError> {
        let mut all = LookUp::default();
        for some in anchors.chunks(wire::AT_ONCE) {
            let of_some = |(anchor, dn): (&Anchor, &String)| Some((anchor.clone(), dn.clone()));
            let called: HashMap<Anchor, String> =
                some.iter().filter_map(|anchor| called.get_key_value(anchor)).filter_map(of_some).collect();
            let look_up = wire::LookUp {
                directory: self.config.directory.clone(),
                anchors: some.iter().map(|anchor| anchor.as_str().to_owned()).collect(),
                called: told::called_sent(&called),
            };
            let what = |id| wire::Task { id, read: None, look_up: Some(Box::new(look_up)) };
            let began = tokio::time::Instant::now();
            let reader = self.reader().clone();
            let mut ticket = self.ask(what, None, reader)?;
            match self.next(&mut ticket, began).await? {
                Event::LookedUp(by, came) => {
                    *self.reader() = Some(by);
                    let LookUp { server, found, of_no_kind, missing, orphans, called } =
                        told::found(*came, some);
                    if all.server.is_some() && server != all.server {
                        // One of two servers says nothing of whom the other one did not find.
                        return Err(SourceError::new(
                            Reason::Interrupted,
                            "the directory's server changed during the look-up",
                        ));
                    }
                    all.server = server;
                    all.found.extend(found);
                    all.of_no_kind.extend(of_no_kind);
                    all.missing.extend(missing);
                    all.orphans.extend(orphans);
                    all.called.extend(called);
                }
                Event::Failed(error) => return Err(error),
                Event::Batch(_) | Event::Complete(..) => return Err(odd()),
            }
        }
        Ok(Some(all))
    }
}
