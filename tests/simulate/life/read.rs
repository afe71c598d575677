//! Reading the directory, as badly as it was announced.

use std::collections::BTreeSet;
use std::time::Duration;

use rollcall::directory::Entry;
use rollcall::sync::import::{self, ImportError, import};

use super::{Life, connector};
use crate::dice::Dice;
use crate::event::ReadFault;
use crate::export;
use crate::oracle::{Broken, demand};
use crate::reader::{LooksUp, Reader};

impl Life {
    /// Reads the directory, as badly as it was announced.
    pub(super) async fn read(&mut self) -> Result<(), Broken> {
        let (reader, options) = self.reader();
        let before = self.store.snapshot_info(&connector()).unwrap();
        let imported = import(&reader, &self.store, &connector(), options, &self.clock, |_| {}).await;
        self.disk.lives();
        let told = match &imported {
            Ok(imported) => {
                self.knowledge.learn(&self.world, &reader, options.look_ups > 0);
                self.read_at = Some(self.clock.seconds());
                self.holding = None;
                if let Some(feed) = &mut self.feed {
                    feed.push(reader.entries.clone());
                }
                self.count("reads that completed");
                let mode = if reader.brought.lock().unwrap().full { "all of" } else { "what changed in" };
                format!(
                    "{mode} the directory is read: {} changed, {} gone, {} unreadable, {} not looked up",
                    imported.changed, imported.removed, imported.unreadable, imported.unsettled
                )
            }
            Err(ImportError::Source(error)) => {
                self.count("reads that failed");
                format!("the read fails: {error}")
            }
            Err(ImportError::Store(error)) => {
                self.count("reads that died");
                format!("the process dies while it reads: {error}")
            }
        };
        let excused = match &imported {
            Ok(_) => true,
            Err(ImportError::Source(_)) => reader.is_to_fail(),
            Err(ImportError::Store(error)) => error.to_string().contains("its time has come"),
        };
        demand(excused, 6, || format!("the read reached its end, and {told}"))?;
        self.last_read_failed = imported.is_err();
        self.tell(told);
        if imported.is_err() {
            let after = self.store.snapshot_info(&connector()).unwrap();
            demand(before == after, 1, || "a read that did not complete changed what is known".to_owned())?;
        }
        Ok(())
    }

    fn reader(&mut self) -> (Reader, import::Options) {
        let mut options = import::Options {
            look_ups: 1000,
            timeout: Duration::from_mins(1),
            full_read_every: Duration::from_hours(24),
        };
        let mut reader = Reader {
            entries: self.world.entries(),
            feed: self.feed.clone(),
            looks_up: if self.looks_up { LooksUp::Well } else { LooksUp::Never },
            hidden: self.world.hidden,
            proves_its_end: self.proves_its_end,
            shuffle: self.clock.seconds().unsigned_abs(),
            ..Reader::default()
        };
        for (fault, seed) in std::mem::take(&mut self.read_faults) {
            let mut dice = Dice(seed);
            let mut some = |of: &[Entry], sides: u64| -> BTreeSet<String> {
                let some = of.iter().filter(|_| dice.one_in(sides));
                some.map(|entry| entry.anchor.as_str().to_owned()).collect()
            };
            let told = match fault {
                ReadFault::EndsEarly => {
                    let at = dice.below(reader.entries.len() + 1);
                    reader.ends_early = Some(at);
                    format!("the next read is cut after {at} entries")
                }
                ReadFault::EndsUnproven => {
                    reader.ends_unproven = true;
                    "the next read is cut at its very end".to_owned()
                }
                ReadFault::Unreadable => {
                    reader.unreadable = some(&reader.entries, 5);
                    format!("the next read cannot understand {:?}", reader.unreadable)
                }
                ReadFault::Missed => {
                    let sides = 2 + seed % 6;
                    reader.missed = some(&reader.entries, sides);
                    format!("the next read misses {:?}, who are there", reader.missed)
                }
                ReadFault::Partial => {
                    let groups: Vec<Entry> = reader.entries.clone();
                    reader.partial = some(&groups, 2);
                    reader.partial.retain(|anchor| anchor.starts_with('g'));
                    format!("the next read finds only half of the members of {:?}", reader.partial)
                }
                ReadFault::Repeats => {
                    reader.repeats = true;
                    "the next read brings some entries twice".to_owned()
                }
                ReadFault::Empty => {
                    reader.empty = true;
                    "the next read brings nothing and says that it was all".to_owned()
                }
                ReadFault::LookUpFails => {
                    if self.looks_up {
                        reader.looks_up = LooksUp::Fails;
                    }
                    "the next read cannot look up what is missing".to_owned()
                }
                ReadFault::NoLookUps => {
                    options.look_ups = 0;
                    "the next read may not look up what is missing".to_owned()
                }
                ReadFault::Doubled => {
                    reader.doubled = some(&reader.entries, 8);
                    let heard = &self.knowledge.groups;
                    let is_renamed = |anchor: &String| {
                        let names = heard.get(anchor).zip(self.world.groups.get(anchor));
                        names.is_some_and(|(heard, now)| heard.last.name != now.name)
                    };
                    reader.doubled.retain(|anchor| !is_renamed(anchor));
                    self.world.doubled.extend(reader.doubled.iter().cloned());
                    format!("the next export has the ids of {:?} on other entries too", reader.doubled)
                }
                ReadFault::Buried => {
                    let left = self
                        .knowledge
                        .people
                        .keys()
                        .filter(|anchor| !self.world.people.contains_key(*anchor));
                    reader.buried = left.filter(|_| dice.one_in(2)).cloned().collect();
                    format!("the next export shows what is left of {:?}", reader.buried)
                }
                ReadFault::StoreDies => {
                    let rows = dice.roll(40);
                    self.disk.dies_after(rows);
                    format!("the process dies in the next read, after {rows} rows")
                }
            };
            self.tell(told);
        }
        if self.world.exported {
            reader.export = Some(export::write(&self.world, &reader, &mut Dice(reader.shuffle)));
        }
        (reader, options)
    }
}
