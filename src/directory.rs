//! The vocabulary of all rooms: what a directory states, what a target is asked to do, and what counts as evidence.
//! Plain types and pure functions without I/O.

mod anchor;
mod attribute_type;
mod change;
mod completion;
mod content;
mod dn;
mod entry;
mod evidence;
mod operation;
mod patch;
mod place;
mod reference;
mod subject;
mod target_error;

pub use anchor::{Anchor, DirectoryId};
pub use attribute_type::attribute_type;
pub use change::{Batch, Change, END_OF, Filler, OfNoKind};
pub use completion::{Completion, Cursor, Feed, Mode, Shown};
pub use content::{Content, GroupContent, UserContent};
pub use dn::{Dn, DnError};
pub use entry::{Entry, EntryKind, FieldState, Members, Stated, fields};
pub use evidence::{Evidence, Grade};
pub use operation::{Match, Operation, Outcome, RefusedMember, TargetId, TargetObject};
pub use patch::Patch;
pub use place::Place;
pub use reference::{Reference, folded};
pub use subject::{ConnectorName, Key, Owner, SubjectId, SubjectKind};
pub use target_error::{TargetError, TargetReason};
