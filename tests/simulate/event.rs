//! What a life is made of: a flat list of events, each with dice of its own, so that any of them can be
//! left out and the rest still is a life.

use crate::dice::Dice;
use crate::world::Happening;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Event {
    /// To the company.
    Happens(Happening),
    /// Goes wrong with the next read.
    SpoilsRead(ReadFault),
    /// The directory is read.
    Read,
    /// Goes wrong with the next run.
    SpoilsRun(RunFault),
    /// The policy runs.
    Run,
    /// A person approves what is held, or what was held before that.
    Approve { last: bool },
    /// The policy only shows what it would do.
    Preview,
    /// Another policy runs against the same target.
    RunOther,
    /// The spec is edited.
    Edit(Edit),
    /// Somebody else does something at the target.
    Hand(Hand),
    /// The policy moves to another target, or back.
    Move,
    /// The store is lost.
    LoseStore,
    /// The process is started anew.
    Restart,
    /// The clock moves by so many minutes, also backwards.
    Pass(i64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ReadFault {
    EndsEarly,
    EndsUnproven,
    Unreadable,
    Missed,
    Partial,
    Repeats,
    Empty,
    LookUpFails,
    NoLookUps,
    /// Two entries of an export have one id.
    Doubled,
    /// An export shows what is left of people who were deleted.
    Buried,
    StoreDies,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RunFault {
    LostBefore,
    LostAfter,
    Busy,
    BusyShortly,
    BusyTooLong,
    Rejects,
    Conflict,
    CutShort,
    Down,
    CannotBeAsked,
    /// Of one object the target answers nothing.
    Silent,
    /// Another policy runs while this one does.
    Meanwhile,
    Dies,
    StoreDies,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Edit {
    Departments,
    Nesting,
    Numbered,
    Disabled,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Hand {
    /// Makes an object, perhaps of somebody's name or address.
    Creates,
    /// Deletes an object of ours.
    Deletes,
    /// Changes one of ours.
    Changes,
    /// Disables one of ours.
    Disables,
    /// Puts an object that is not ours into a group of ours.
    AddsMember,
    /// The target comes to dislike somebody's name, for good.
    Dislikes,
    /// No list shows an object of ours any more.
    Hides,
}

/// An event with its dice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) event: Event,
    pub(crate) dice: u64,
}

/// Ordinary happenings, some more likely than others.
const HAPPENINGS: &[Happening] = &[
    Happening::Join,
    Happening::Join,
    Happening::Found,
    Happening::Leave,
    Happening::Leave,
    Happening::Leave,
    Happening::Rename,
    Happening::Marry,
    Happening::SwapAddresses,
    Happening::ChangeDepartment,
    Happening::SwitchAccount,
    Happening::Expire,
    Happening::TakeAddress,
    Happening::Recreate,
    Happening::Garble,
    Happening::Misnumber,
    Happening::Move,
    Happening::SwitchMembership,
    Happening::SwitchMembership,
    Happening::Nest,
    Happening::DeleteTeam,
    Happening::RenameTeam,
];

const READ_FAULTS: &[ReadFault] = &[
    ReadFault::EndsEarly,
    ReadFault::EndsEarly,
    ReadFault::EndsUnproven,
    ReadFault::Unreadable,
    ReadFault::Unreadable,
    ReadFault::Missed,
    ReadFault::Missed,
    ReadFault::Partial,
    ReadFault::Repeats,
    ReadFault::Empty,
    ReadFault::LookUpFails,
    ReadFault::NoLookUps,
    ReadFault::Doubled,
    ReadFault::Buried,
    ReadFault::StoreDies,
];

const RUN_FAULTS: &[RunFault] = &[
    RunFault::LostBefore,
    RunFault::LostAfter,
    RunFault::LostAfter,
    RunFault::Busy,
    RunFault::BusyShortly,
    RunFault::BusyTooLong,
    RunFault::Rejects,
    RunFault::Conflict,
    RunFault::CutShort,
    RunFault::Down,
    RunFault::CannotBeAsked,
    RunFault::Silent,
    RunFault::Silent,
    RunFault::Dies,
    RunFault::Dies,
    RunFault::Dies,
    RunFault::StoreDies,
    RunFault::StoreDies,
];

const HANDS: &[Hand] = &[
    Hand::Creates,
    Hand::Creates,
    Hand::Creates,
    Hand::Deletes,
    Hand::Changes,
    Hand::Disables,
    Hand::AddsMember,
    Hand::AddsMember,
    Hand::Dislikes,
    Hand::Hides,
];

/// The events of a life.
pub(crate) fn events(dice: &mut Dice) -> Vec<Step> {
    let mut events = Vec::new();
    let most = if dice.one_in(4) { 30 } else { 10 };
    for _ in 0..3 + dice.roll(most) {
        events.push(Event::Happens(Happening::Join));
    }
    for _ in 0..=dice.roll(3) {
        events.push(Event::Happens(Happening::Found));
    }
    let (moves, meets) = (dice.one_in(4), dice.one_in(4));
    for _ in 0..2 + dice.roll(5) {
        if meets {
            events.push(Event::SpoilsRun(RunFault::Meanwhile));
        }
        day(dice, &mut events);
        if moves && dice.one_in(2) {
            events.push(Event::Move);
        }
        if moves && dice.one_in(12) {
            // Longer than what was left is kept.
            events.push(Event::Pass(60 * 24 * 31));
        }
    }
    events.into_iter().map(|event| Step { event, dice: dice.roll(u64::MAX) }).collect()
}

/// Things happen, the directory is read, the policy runs.
fn day(dice: &mut Dice, events: &mut Vec<Event>) {
    for _ in 0..dice.roll(5) {
        events.push(Event::Happens(dice.one_of(HAPPENINGS)));
    }
    if dice.one_in(12) {
        let rare = [Happening::Disaster, Happening::HidePlace, Happening::HideField];
        events.push(Event::Happens(dice.one_of(&rare)));
    }
    if dice.one_in(8) {
        let edits = [Edit::Departments, Edit::Departments, Edit::Nesting, Edit::Numbered, Edit::Disabled];
        events.push(Event::Edit(dice.one_of(&edits)));
    }
    if dice.one_in(3) {
        events.push(Event::Hand(dice.one_of(HANDS)));
    }
    if dice.one_in(50) {
        events.push(Event::LoseStore);
    }
    if dice.one_in(10) {
        events.push(Event::Restart);
    }
    if !dice.one_in(6) {
        for _ in 0..dice.roll(3) {
            events.push(Event::SpoilsRead(dice.one_of(READ_FAULTS)));
        }
        events.push(Event::Read);
    }
    if dice.one_in(6) {
        events.push(Event::RunOther);
    }
    for _ in 0..dice.roll(3) {
        events.push(Event::SpoilsRun(dice.one_of(RUN_FAULTS)));
    }
    if dice.one_in(12) {
        events.push(Event::Preview);
    }
    events.push(Event::Run);
    if dice.one_in(4) {
        events.push(Event::Approve { last: !dice.one_in(4) });
    }
    if dice.one_in(4) {
        events.push(Event::Run);
    }
    events.push(Event::Pass(match dice.roll(12) {
        0 => -60 * i64::try_from(1 + dice.roll(30)).unwrap(),
        1 => 60 * i64::try_from(24 + dice.roll(100)).unwrap(),
        _ => 60 * i64::try_from(1 + dice.roll(8)).unwrap(),
    }));
}
