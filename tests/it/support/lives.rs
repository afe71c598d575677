//! Lives at random on real servers: whatever happens, every reader comes to the same as one that reads everything and
//! sees everything, and on the way nobody goes who stays.

use std::fmt::Write as _;
use std::ops::AddAssign;

use serde_json::json;

use super::cli::Desk;
use super::faults::tell;
use super::happening::Happening;
use super::registry::{Resources, Synced, differences, inactive, leave_out, wrongly_gone};
use super::toxiproxy::Toxiproxy;
use super::world::{Memberships, Spelling, World};

/// So many reads after the first at which it sees everything again an account has come to rest, if it lost so much that
/// it had been noticed; else with the daily read of everything.
const UNTIL_AT_REST: u64 = 2;

/// A directory's server.
pub(crate) trait Server {
    /// Returns when all that follows has been done.
    fn befall(&self, happening: &Happening, memberships: &Memberships);
    fn restart(&mut self);
}

/// Who reads it, with a store of its own.
pub(crate) struct Reader {
    pub(crate) name: &'static str,
    /// The feed that it is to use.
    pub(crate) feed: &'static str,
    /// Whether a place is hidden from it at times.
    pub(crate) loses_sight: bool,
    pub(crate) desk: Desk,
}

/// What happened in lives.
#[derive(Debug, Default)]
pub(crate) struct Lived {
    lives: u64,
    changes: u64,
    syncs: u64,
    /// Syncs that a cut ended.
    cuts: u64,
    restarts: u64,
    /// How often sight was lost.
    blind: u64,
    /// Syncs of who was blind that would have removed too many, and held them.
    held: u64,
    /// Bursts after which a read more was needed.
    later: u64,
    /// Holds of a place that had become empty, which were approved.
    approved: u64,
    /// How often it needed the daily read of everything to see what had happened out of sight.
    days: u64,
}

impl Lived {
    /// What `make faults` prints.
    pub(crate) fn tell(&self, server: &str) {
        tell(format_args!("in {server}, by each feed as by reading everything: {self:?}"));
        // A few times it may go unnoticed; but a right that hides nothing proves nothing.
        assert!(self.blind < 10 || self.held > 0, "nobody was ever blind: {self:?}");
    }
}

impl AddAssign for Lived {
    fn add_assign(&mut self, other: Self) {
        self.lives += other.lives;
        self.changes += other.changes;
        self.syncs += other.syncs;
        self.cuts += other.cuts;
        self.restarts += other.restarts;
        self.blind += other.blind;
        self.held += other.held;
        self.later += other.later;
        self.days += other.days;
        self.approved += other.approved;
    }
}

/// A life under way.
pub(crate) struct Life<S> {
    server: S,
    proxy: Toxiproxy,
    readers: Vec<Reader>,
    spelling: &'static Spelling,
    /// The name of the account that loses sight.
    who: &'static str,
    world: World,
    /// Whether it has lost it.
    blind: bool,
    /// What each reader had made of it by the last sync.
    last: Vec<Resources>,
    lived: Lived,
    /// What happened, for whoever wants to know why it ended badly.
    story: String,
}

impl<S: Server> Life<S> {
    /// The first reader reads everything, sees everything, and is never disturbed: all others read through the proxy.
    pub(crate) fn new(
        server: S,
        proxy: Toxiproxy,
        readers: Vec<Reader>,
        (spelling, who): (&'static Spelling, &'static str),
        seed: u64,
    ) -> Self {
        let last = readers.iter().map(|_| Resources::new()).collect();
        let (world, lived) = (World::new(spelling, seed), Lived { lives: 1, ..Lived::default() });
        let story = format!("seed {seed}\n");
        Self { server, proxy, readers, spelling, who, world, blind: false, last, lived, story }
    }

    pub(crate) fn live(mut self, changes: u64) -> Lived {
        self.check(0);
        while self.lived.changes < changes {
            let count = (1 + self.world.roll(12) as u64).min(changes - self.lived.changes);
            self.lived.changes += count;
            for happening in self.world.burst(count) {
                self.happens(&happening);
            }
            let mut more = 0;
            match self.world.roll(8) {
                0 => {
                    self.server.restart();
                    self.lived.restarts += 1;
                    self.note("the server was stopped, and started again");
                }
                1 => self.cut(),
                2 | 3 if self.blind => more = self.see(true),
                2 if !self.blind => more = self.see(false),
                _ => {}
            }
            self.check(more);
        }
        if self.blind {
            let more = self.see(true);
            self.check(more);
        }
        self.lived
    }

    fn happens(&mut self, happening: &Happening) {
        self.story += &happening.to_string();
        self.server.befall(happening, &self.world.memberships());
    }

    fn note(&mut self, what: &str) {
        writeln!(self.story, "# {what}").unwrap();
    }

    /// Hides a place or shows it again; how many syncs may go by until all is as if nothing had been.
    fn see(&mut self, all: bool) -> u64 {
        let sight = Happening::Changes(self.spelling.sight(self.who, all));
        self.happens(&sight);
        self.blind = !all;
        self.lived.blind += u64::from(!all);
        if all { UNTIL_AT_REST } else { 0 }
    }

    /// A sync whose connections are cut.
    fn cut(&mut self) {
        // As often early as late, in a read of a few changes and in one of everything.
        let most = 256 << self.world.roll(9);
        let bytes = self.world.roll(most);
        self.note(&format!("the connections were cut after {bytes} bytes"));
        self.proxy.poison("limit_data", &json!({ "bytes": bytes }));
        let synced = self.sync();
        self.proxy.cure();
        self.lived.cuts += synced.iter().filter(|synced| synced.code == 1).count() as u64;
        for (at, synced) in synced.iter().enumerate().skip(1) {
            self.nobody_went(at, synced);
        }
    }

    /// Everybody comes to the same, with the next read (a new name in a list is understood then) or, where sight was
    /// regained, `more` reads later or a day. Who is blind has at least removed nobody.
    fn check(&mut self, more: u64) {
        for round in 0.. {
            let synced = self.sync();
            let mut at_rest = true;
            for (at, synced) in synced.iter().enumerate().skip(1) {
                self.nobody_went(at, synced);
                if self.blind && self.readers[at].loses_sight {
                    self.lived.held += u64::from(synced.code == 3);
                } else if let Some(digest) = synced.held_with_a_place() {
                    self.approve(at, digest);
                    at_rest = false;
                } else {
                    let differences = self.differences(at, synced);
                    let waits = round <= if self.readers[at].loses_sight { more } else { 0 };
                    self.expect(waits || differences.is_empty(), at, synced, &differences.join("\n"));
                    at_rest &= differences.is_empty();
                    if more > 0 && round == more && !differences.is_empty() {
                        self.lived.days += 1;
                        let note = format!("a day went by for {}", self.readers[at].name);
                        self.note(&note);
                        a_day_goes_by(&self.readers[at].desk);
                    }
                }
            }
            if at_rest {
                self.lived.later += round;
                return;
            }
        }
    }

    /// All readers, at once; what the first finds is what is true.
    fn sync(&mut self) -> Vec<Synced> {
        let synced: Vec<Synced> = std::thread::scope(|scope| {
            let running: Vec<_> =
                self.readers.iter().map(|reader| scope.spawn(|| Synced::by(&reader.desk))).collect();
            running.into_iter().map(|running| running.join().unwrap()).collect()
        });
        self.lived.syncs += synced.len() as u64;
        // The first sees everything, so what it misses is gone.
        let mut synced = synced;
        if let Some(digest) = synced[0].held_with_a_place().map(str::to_owned) {
            self.approve(0, &digest);
            synced[0] = Synced::by(&self.readers[0].desk);
        }
        self.last[0].clone_from(&synced[0].resources);
        synced
    }

    fn approve(&mut self, at: usize, digest: &str) {
        self.readers[at].desk.sync(&["--approve", digest]);
        self.lived.approved += 1;
        let note = format!("a person approved what was held of {}", self.readers[at].name);
        self.note(&note);
    }

    /// What is not as it should be.
    fn differences(&self, at: usize, synced: &Synced) -> Vec<String> {
        let (mut wanted, mut found) = (self.last[0].clone(), synced.resources.clone());
        if self.readers[at].loses_sight {
            // Whoever left while the place was hidden is as they were seen last, if they ever were.
            let left = &inactive(&wanted) | &inactive(&found);
            leave_out(&mut wanted, &left);
            leave_out(&mut found, &left);
        }
        let mut differences = differences(&wanted, &found);
        if synced.code != 0 {
            differences.push("it is not in step".to_owned());
        }
        let active = &synced.connector()["changeFeed"]["active"];
        if active != self.readers[at].feed {
            differences.push("another feed was used".to_owned());
        }
        differences
    }

    fn nobody_went(&mut self, at: usize, synced: &Synced) {
        let mut gone = wrongly_gone(&self.last[at], &self.last[0], &synced.resources);
        if !gone.is_empty() {
            // A new name in a list ends no membership before the next read: it may be the first who is behind.
            self.last[0] = Synced::by(&self.readers[0].desk).resources;
            gone = wrongly_gone(&self.last[at], &self.last[0], &synced.resources);
        }
        self.expect(gone.is_empty(), at, synced, &gone.join("\n"));
        self.last[at].clone_from(&synced.resources);
    }

    fn expect(&self, holds: bool, at: usize, synced: &Synced, why: &str) {
        let (story, name, Synced { code, status, .. }) = (&self.story, self.readers[at].name, synced);
        assert!(holds, "{story}\n\n{name}, exit code {code}, blind: {}:\n{status:#}\n{why}", self.blind);
    }
}

/// The last read of everything was more than a day ago.
fn a_day_goes_by(desk: &Desk) {
    let store = rusqlite::Connection::open(desk.path("data").join(rollcall::store::FILE)).unwrap();
    let then = "UPDATE connector SET info = json_set(info, '$.full_at', '2020-01-01T00:00:00Z')";
    assert_eq!(store.execute(then, []).unwrap(), 1);
    drop(store);
    rollcall::store::Store::open(&desk.path("data")).unwrap().take_for_written().unwrap();
}
