//! Who may stay connected when not everybody can. Whoever has proven a right to be there stays, but for a quarter of the
//! room: that is for whoever comes, lest those who are there keep everybody else out. Of those of whom nothing is known,
//! the ones that said nothing for a moment go first, the oldest before the younger; of the others, one of the owner who
//! has the most.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::task::AtomicWaker;
use tokio::time::Instant;

use crate::directory::Owner;

/// Whoever says nothing for longer has nothing to say.
const MOMENT: Duration = Duration::from_millis(250);

/// The connections of one listener; clones share them.
#[derive(Clone)]
pub(super) struct Room {
    /// Connections at once …
    most: usize,
    /// … and of one peer.
    most_of_peer: usize,
    seats: Arc<Mutex<Seats>>,
}

#[derive(Default)]
struct Seats {
    next: u64,
    taken: HashMap<u64, Taken>,
}

/// What is known of a connection.
struct Taken {
    peer: IpAddr,
    /// When it was made, or the last answer on it was given.
    since: Instant,
    spoke: bool,
    /// Whose registry it has a right to read.
    admitted: Option<Owner>,
    /// Requests under way.
    busy: u32,
    ending: Arc<Ending>,
}

/// Tells a connection that it must go.
#[derive(Default)]
struct Ending {
    over: AtomicBool,
    waker: AtomicWaker,
}

/// A connection's place; it is free again once the last clone is dropped.
#[derive(Clone)]
pub(super) struct Seat(Arc<Place>);

struct Place {
    id: u64,
    seats: Arc<Mutex<Seats>>,
    ending: Arc<Ending>,
}

impl Room {
    pub(super) fn new(most: usize, most_of_peer: usize) -> Self {
        Self { most, most_of_peer, seats: Arc::default() }
    }

    /// A place for a connection that was just made, if need be that of another one. `None` if all others have more
    /// right to be there.
    pub(super) fn enter(&self, peer: IpAddr, now: Instant) -> Option<Seat> {
        let peer = network(peer);
        let mut seats = lock(&self.seats);
        let of_peer = seats.taken.values().filter(|taken| taken.peer == peer).count();
        if of_peer >= self.most_of_peer {
            seats.make_way(now, self.most_of_peer, |taken| taken.peer == peer)?;
        }
        if seats.taken.len() >= self.most {
            seats.make_way(now, self.most, |_| true)?;
        }
        let (id, ending) = (seats.next, Arc::<Ending>::default());
        seats.next += 1;
        let taken = Taken { peer, since: now, spoke: false, admitted: None, busy: 0, ending: ending.clone() };
        seats.taken.insert(id, taken);
        Some(Seat(Arc::new(Place { id, seats: self.seats.clone(), ending })))
    }
}

impl Seats {
    /// Ends whoever of these, at most so many, has the least right to be there.
    fn make_way(&mut self, now: Instant, most: usize, of: impl Fn(&Taken) -> bool) -> Option<()> {
        let (mut unproven, mut of_owner) = (0, BTreeMap::<&Owner, usize>::new());
        for taken in self.taken.values().filter(|taken| of(taken)) {
            match &taken.admitted {
                Some(owner) => *of_owner.entry(owner).or_default() += 1,
                None => unproven += 1,
            }
        }
        let right = |taken: &Taken| match &taken.admitted {
            None if !taken.spoke && now.duration_since(taken.since) > MOMENT => (Right::Silent, Reverse(0)),
            None if unproven > most / 4 => (Right::Unproven, Reverse(0)),
            None => (Right::Newcomer, Reverse(0)),
            Some(owner) => (Right::Admitted, Reverse(of_owner.get(owner).copied().unwrap_or_default())),
        };
        let idle = self.taken.iter().filter(|(_, taken)| taken.busy == 0 && of(taken));
        let id = *idle.min_by_key(|(id, taken)| (right(taken), taken.since, **id))?.0;
        self.taken.remove(&id)?.ending.end();
        Some(())
    }
}

/// The right of a connection to be there, the least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Right {
    /// It had its moment, and said nothing.
    Silent,
    /// Nothing is known of it, and there are many like it.
    Unproven,
    /// A reader's.
    Admitted,
    /// Nothing is known of it yet, and there are few like it.
    Newcomer,
}

impl Ending {
    fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.waker.wake();
    }
}

impl Seat {
    /// Something was said on the connection.
    pub(super) fn spoke(&self) {
        self.with(|taken| taken.spoke = true);
    }

    /// A request has come in whole.
    pub(super) fn begins(&self) {
        self.with(|taken| taken.busy += 1);
    }

    /// A request was answered, and the answer taken; by whom, if it has a right to be there.
    pub(super) fn answered(&self, by: Option<Owner>, now: Instant) {
        self.with(|taken| {
            taken.busy = taken.busy.saturating_sub(1);
            taken.admitted = by.or(taken.admitted.take());
            taken.since = now;
        });
    }

    /// Ready once the connection must be closed.
    pub(super) fn poll_over(&self, cx: &Context<'_>) -> Poll<()> {
        let ending = &self.0.ending;
        ending.waker.register(cx.waker());
        if ending.over.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    }

    fn with(&self, change: impl FnOnce(&mut Taken)) {
        if let Some(taken) = lock(&self.0.seats).taken.get_mut(&self.0.id) {
            change(taken);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.seats).taken.remove(&self.id);
    }
}

/// Who a peer is: whoever has one address of an IPv6 network has all of it.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(of) => {
            let [a, b, c, d, ..] = of.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn lock(seats: &Mutex<Seats>) -> MutexGuard<'_, Seats> {
    seats.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "192.0.2.1";
    const OTHER: &str = "192.0.2.2";

    struct Clock(Instant);

    impl Clock {
        fn later(&mut self) -> Instant {
            self.0 += Duration::from_secs(1);
            self.0
        }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn staff() -> Owner {
        Owner::new("identity", "staff")
    }

    fn over(seat: &Seat) -> bool {
        seat.poll_over(&Context::from_waker(futures::task::noop_waker_ref())).is_ready()
    }

    #[test]
    fn the_oldest_who_said_nothing_makes_way_then_whoever_is_not_known_then_the_known() {
        let (room, mut clock) = (Room::new(4, 9), Clock(Instant::now()));
        let mut enter = || room.enter(address(ONE), clock.later());
        let (known, spoke, silent, younger) =
            (enter().unwrap(), enter().unwrap(), enter().unwrap(), enter().unwrap());
        known.begins();
        known.spoke();
        known.answered(Some(staff()), Instant::now());
        spoke.spoke();
        let mut fifth = enter().unwrap();
        assert!(over(&silent) && !over(&younger) && !over(&spoke) && !over(&known));
        fifth.spoke();
        let sixth = enter().unwrap();
        assert!(over(&younger) && !over(&fifth));
        sixth.spoke();
        fifth = enter().unwrap();
        assert!(
            over(&spoke) && !over(&known),
            "nobody was silent: the oldest of those who are not known goes"
        );
        drop((silent, younger, spoke));
        for seat in [&sixth, &fifth] {
            seat.begins();
        }
        let seventh = enter().unwrap();
        seventh.begins();
        assert!(!over(&known));
        let eighth = enter().unwrap();
        assert!(over(&known), "all others are being answered");
        eighth.begins();
        assert!(enter().is_none(), "nobody is cut off within an answer");
        drop(seventh);
        assert!(enter().is_some(), "room comes back");
    }

    #[test]
    fn whoever_has_just_come_has_a_moment_to_speak() {
        let (room, mut clock) = (Room::new(2, 9), Clock(Instant::now()));
        let slow = room.enter(address(ONE), clock.later()).unwrap();
        slow.spoke();
        let now = clock.later();
        let new = room.enter(address(ONE), now).unwrap();
        let newer = room.enter(address(ONE), now).unwrap();
        assert!(over(&slow) && !over(&new) && !over(&newer));
    }

    #[test]
    fn a_peer_that_has_its_share_makes_way_for_itself_only() {
        let (room, mut clock) = (Room::new(10, 2), Clock(Instant::now()));
        let other = room.enter(address(OTHER), clock.later()).unwrap();
        let first = room.enter(address(ONE), clock.later()).unwrap();
        let second = room.enter(address(ONE), clock.later()).unwrap();
        let third = room.enter(address(ONE), clock.later()).unwrap();
        assert!(over(&first) && !over(&second) && !over(&other));
        second.begins();
        third.begins();
        assert!(room.enter(address(ONE), clock.later()).is_none());
        room.enter(address(OTHER), clock.later()).unwrap();
    }

    #[test]
    fn whoever_has_a_token_leaves_room_for_whoever_comes() {
        let (room, mut clock) = (Room::new(8, 99), Clock(Instant::now()));
        let mut admitted = |owner: &Owner| {
            let seat = room.enter(address(ONE), clock.later()).unwrap();
            seat.spoke();
            seat.begins();
            seat.answered(Some(owner.clone()), clock.later());
            seat
        };
        let modest = admitted(&Owner::new("identity", "guests"));
        let greedy: Vec<_> = (0..7).map(|_| admitted(&staff())).collect();
        let mut come = || {
            let seat = room.enter(address(OTHER), clock.later()).unwrap();
            seat.spoke();
            seat
        };
        let (first, second) = (come(), come());
        assert!(!over(&first), "it may still say whose reader it is");
        assert!(over(&greedy[0]) && over(&greedy[1]) && !over(&modest), "whoever has the most makes way");
        let third = come();
        assert!(over(&greedy[2]) && !over(&first) && !over(&second));
        let _fourth = come();
        assert!(over(&first) && !over(&second) && !over(&third), "they have their quarter");
        assert!(!greedy[3..].iter().any(over) && !over(&modest));
    }

    #[test]
    fn a_network_is_one_peer() {
        for (one, other, same) in [
            ("2001:db8::1", "2001:db8::ffff", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
        ] {
            assert_eq!(network(address(one)) == network(address(other)), same, "{one} {other}");
        }
    }
}
