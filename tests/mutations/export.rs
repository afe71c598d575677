//! Exports.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rollcall::directory::Completion;
use rollcall::source::ldif::{Input, LdifConfig, LdifSource};
use rollcall::source::{Source as _, SourceError};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::company::{Company, Entry, Style};
use super::damage::{Dice, damage};
use super::each;
use super::strict::{Record, records};
use super::sync::{Held, InStep};

pub(crate) fn source(text: &[u8]) -> LdifSource {
    LdifSource::new(LdifConfig {
        user_filter: None,
        group_filter: None,
        input: Input::Text(text.to_vec().into()),
        name: "the export".to_owned(),
        directory_id: None,
        anchor: None,
        literal: BTreeSet::new(),
    })
}

/// Reads it, and looks at nothing of it.
pub(crate) async fn read(text: &[u8]) -> Result<Completion, SourceError> {
    let (to, mut batches) = mpsc::channel(4);
    let source = source(text);
    let (ended, ()) =
        tokio::join!(source.read(None, to.into()), async { while batches.recv().await.is_some() {} });
    ended
}

/// A company that is in step, and who its entries are at the target.
struct Known {
    company: Company,
    in_step: InStep,
    users: Vec<Uuid>,
    groups: Vec<Uuid>,
}

impl Known {
    fn of(runtime: &Runtime, style: Style) -> Self {
        let company = style.company();
        let in_step = runtime.block_on(InStep::with(&source(company.export.as_bytes())));
        let users = company.users.iter().map(|user| in_step.held.user(&user.name)).collect();
        let groups = company.groups.iter().map(|group| in_step.held.group(&group.name)).collect();
        let known = Self { company, in_step, users, groups };
        for (group, members) in known.company.members.iter().enumerate() {
            for (line, user) in members {
                assert!(known.is_member(&known.in_step.held, group, *user), "{line}");
            }
        }
        known
    }

    fn is_member(&self, held: &Held, group: usize, user: usize) -> bool {
        held.groups.get(&self.groups[group]).is_some_and(|(_, members)| members.contains(&self.users[user]))
    }

    /// Who is gone although the text does not say so.
    fn wrongly_gone(&self, text: &[u8], held: &Held) -> Vec<String> {
        let records = records(text);
        let mut wrong = Vec::new();
        for (user, id) in self.company.users.iter().zip(&self.users) {
            let is_there = held.users.get(id).is_some_and(|(_, active)| *active);
            if !is_there && stays(user, &records) {
                wrong.push(user.name.clone());
            }
        }
        for (group, id) in self.company.groups.iter().zip(&self.groups) {
            if !held.groups.contains_key(id) && stays(group, &records) {
                wrong.push(group.name.clone());
            }
        }
        for (group, members) in self.company.members.iter().enumerate() {
            let entry = &self.company.groups[group];
            for (line, user) in members {
                let is_stated = records.iter().any(|record| record.has(&entry.id) && !record.denies(line));
                let user_entry = &self.company.users[*user];
                let stay = stays(entry, &records) && stays(user_entry, &records);
                // The list may mean whoever has the name now.
                let stay = stay && !is_claimed(user_entry, &records);
                if is_stated && stay && !self.is_member(held, group, *user) {
                    wrong.push(format!("{line} of {}", entry.name));
                }
            }
        }
        wrong
    }
}

/// Whether another entry has its name by the text.
fn is_claimed(entry: &Entry, records: &[Record]) -> bool {
    entry.called.iter().any(|line| records.iter().any(|record| record.claims(line, &entry.id)))
}

/// Whether the entry stands there, and nothing is beyond doubt that would make it another one.
fn stays(entry: &Entry, records: &[Record]) -> bool {
    let mut shown = records.iter().filter(|record| record.has(&entry.id)).peekable();
    if shown.peek().is_none() {
        // It may be what is not understood.
        return records.iter().any(|record| record.hides(&entry.dn));
    }
    shown.any(|record| !entry.needs.iter().any(|line| record.denies(line)))
}

/// What damage did, for people: lines that are not there any more, and what stands around those that were not there before.
fn differences(whole: &str, text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let (before, after): (Vec<&str>, Vec<&str>) = (whole.split('\n').collect(), text.split('\n').collect());
    let lost = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line:?}"));
    let is_new = |at: usize| after.get(at).is_some_and(|line| !before.contains(line));
    let found = (0..after.len()).filter(|at| (at.saturating_sub(2)..at + 3).any(is_new));
    lost.chain(found.map(|at| format!("{at}: {:?}", after[at]))).collect::<Vec<_>>().join("\n")
}

#[test]
fn no_damage_to_an_export_removes_anybody() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let all = Style::ALL.map(|style| Known::of(&runtime, style));
    each("EXPORTS", 300, |dice: &mut Dice| {
        let known = &all[dice.below(all.len())];
        let whole = known.company.export.as_bytes();
        let mut text = whole.to_vec();
        damage(&mut text, dice);
        if let Some(to) = std::env::var_os("KEEP") {
            fs::write(Path::new(&to).with_extension("whole.ldif"), whole).unwrap();
            fs::write(Path::new(&to).with_extension("damaged.ldif"), &text).unwrap();
        }
        let mut running = known.in_step.again();
        let read: Result<(), SourceError> = runtime.block_on(running.sync(&source(&text)));
        let held = running.held();
        let shown = || differences(&known.company.export, &text);
        match &read {
            Ok(()) => {
                let gone = known.wrongly_gone(&text, &held);
                assert!(gone.is_empty(), "gone: {gone:#?} after\n{}", shown());
            }
            Err(error) => {
                assert!(!error.message.contains("defect of Rollcall"), "{error}");
                assert_eq!(held, known.in_step.held, "nothing could be read ({error}): {}", shown());
            }
        }
        // Names that were changed back wait for one another.
        for day in 0..3 {
            let export = known.company.export.replace("# the company", &format!("# the company, day {day}"));
            assert_ne!(export, known.company.export);
            runtime.block_on(running.sync(&source(export.as_bytes()))).unwrap();
        }
        let again = running.held();
        let is_back = |(id, user): (&Uuid, &(String, bool))| again.users.get(id) == Some(user);
        assert!(
            known.in_step.held.users.iter().all(is_back),
            "read again as it was: {again:#?} after\n{}",
            shown()
        );
        // Lists that have not changed go on meaning whom they meant when others had those names (`docs/reliability.md`).
        let records = records(&text);
        let may_be_claimed = |user: &Entry| {
            user.called.iter().any(|line| records.iter().any(|record| record.may_claim(line, &user.id)))
        };
        if known.company.users.iter().any(may_be_claimed) {
            return;
        }
        let lists = |of: &Held| known.groups.iter().map(|id| of.groups.get(id).cloned()).collect::<Vec<_>>();
        assert_eq!(lists(&again), lists(&known.in_step.held), "read again as it was after\n{}", shown());
    });
}
