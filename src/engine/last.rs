//! The last read, which the operator has: it is asked over the line.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tokio::runtime::Handle;

use super::line::Line;
use super::send::patiently;
use crate::directory::{Anchor, DirectoryId, Dn, Reference};
use crate::source::{KnownBy, LastRead, Lists};
use crate::wire::{self, Question, Told, path};

/// The last read.
pub(super) struct Remote {
    pub(super) line: Arc<Line>,
    pub(super) task: String,
    pub(super) known_by: Option<wire::KnownBy>,
    /// Where requests go on while a thread waits for them.
    pub(super) runtime: Handle,
}

impl Remote {
    /// Asks, on a thread that may wait; `None` if there is no answer.
    fn ask(&self, question: &Question) -> Option<Told> {
        let body = wire::pack(question).ok()?;
        let at = path::ask(&self.task);
        let said = patiently::<Told>(&self.line, &at, &body, wire::TOLD);
        self.runtime
            .block_on(said)
            .inspect_err(|error| tracing::debug!(%error, "the last read was not told of"))
            .ok()
    }

    /// The same of many, some at a time.
    fn all<T>(
        &self,
        entries: &[Anchor],
        at_once: usize,
        question: impl Fn(Vec<String>) -> Question,
        of: impl Fn(Told) -> Option<T>,
    ) -> Option<Vec<T>> {
        let texts = |some: &[Anchor]| some.iter().map(|anchor| anchor.as_str().to_owned()).collect();
        entries.chunks(at_once).map(|some| of(self.ask(&question(texts(some)))?)).collect()
    }

    fn some(
        &self,
        entries: &[Anchor],
        question: impl Fn(Vec<String>) -> Question,
    ) -> Option<HashSet<Anchor>> {
        let of = |told| if let Told::Some(some) = told { some } else { None };
        let some = self.all(entries, wire::AT_ONCE, question, of)?;
        Some(some.into_iter().flatten().map(Anchor::new).collect())
    }
}

impl LastRead for Remote {
    fn called(&self, entries: &[Anchor]) -> HashMap<Anchor, String> {
        let of = |told| if let Told::Called(called) = told { Some(called) } else { None };
        let called = self.all(entries, wire::AT_ONCE, Question::Called, of).unwrap_or_default();
        called.into_iter().flatten().map(|(anchor, dn)| (Anchor::new(anchor), dn)).collect()
    }

    fn strange(&self, entries: &[Anchor]) -> Option<HashSet<Anchor>> {
        self.some(entries, Question::Strange)
    }

    fn members(&self, entries: &[Anchor]) -> Option<Lists> {
        let of = |told| if let Told::Members(lists) = told { lists } else { None };
        let lists = self.all(entries, wire::LISTS, Question::Members, of)?;
        let list = |(group, list): (String, Option<Vec<wire::Reference>>)| {
            let list = match list {
                Some(list) => {
                    Some(list.into_iter().map(Reference::try_from).collect::<Result<Vec<_>, _>>().ok()?)
                }
                None => None,
            };
            Some((Anchor::new(group), list))
        };
        lists.into_iter().flatten().map(list).collect()
    }

    fn listed(&self, entries: &[Anchor]) -> Option<HashSet<Anchor>> {
        self.some(entries, Question::Listed)
    }

    fn values(&self, attribute: &str, entries: &[Anchor]) -> Option<HashMap<Anchor, Vec<String>>> {
        let question = |entries| Question::Values { attribute: attribute.to_owned(), entries };
        let of = |told| if let Told::Values(values) = told { values } else { None };
        let values = self.all(entries, wire::AT_ONCE, question, of)?;
        Some(values.into_iter().flatten().map(|(anchor, values)| (Anchor::new(anchor), values)).collect())
    }

    fn naming(&self, attribute: &str, dns: &BTreeSet<Dn>) -> Option<Vec<Anchor>> {
        let dns: Vec<String> = dns.iter().map(ToString::to_string).collect();
        let mut all = Vec::new();
        for some in dns.chunks(wire::AT_ONCE) {
            let (attribute, dns) = (attribute.to_owned(), some.iter().cloned().collect());
            let Told::Naming(those) = self.ask(&Question::Naming { attribute, dns })? else { return None };
            all.extend(those?.into_iter().map(Anchor::new));
        }
        Some(all)
    }

    fn known_by(&self) -> Option<KnownBy> {
        let wire::KnownBy { directory, id, scope, progress } = self.known_by.clone()?;
        Some(KnownBy { directory: DirectoryId::new(directory), id, scope, progress })
    }
}
