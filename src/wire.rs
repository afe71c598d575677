//! What a Sync Engine and the operator's gateway say to each other: types of their own, which no other room stores or shows, and how
//! they are packed, chained and signed. Pure.
//!
//! # Guarantees
//! - Each type is converted field by field, so that the compiler names a field that is new elsewhere and missing here.
//! - What evidence or a question is made of is refused with a field that is not known: leaving it out could mean something else.
//!   Only what reports (a greeting, a receipt, a refusal) may have more fields than are known.
//! - Unpacking holds no more than it is told, whatever comes.
//! - A batch that is missing, repeated, in another place, altered or of another read breaks the chain, and nothing ends well then.

mod chain;
mod change;
mod completion;
mod entry;
mod last;
mod misfit;
mod pack;
mod seal;
mod stamp;
mod work;

pub use chain::{Broken, Chain, Taken};
pub use change::{Change, kinds};
pub use completion::{Completion, Feed, Mode, Shown};
pub use entry::{Entry, Kind, Members, Patch, Reference};
pub use last::{KnownBy, Question, Told};
pub use misfit::Misfit;
pub use pack::{Unpackable, pack, pack_within, unpack};
pub use seal::Seal;
pub use stamp::{KeyId, NoKey, PublicKey, Signed, SigningKey, Stamp, digest};
pub use work::{
    ChangeFeed, Directory, End, Failure, Greeting, Hello, Join, LookUp, LookedUp, Outcome, Read, Receipt,
    Refusal, Server, Task, Work, code,
};

/// The version of all this. A change that an older side would misunderstand takes the next one.
pub const PROTOCOL: u32 = 2;
/// From this version on an engine understands that it stands by.
pub const STANDBY: u32 = 2;
/// The oldest version that is still spoken.
pub const OLDEST: u32 = 1;

/// A part of a batch has no more bytes: proxies refuse bodies that are much larger.
pub const PART: usize = 512 << 10;
/// A packed batch has no more bytes.
pub const PACKED: usize = 48 << 20;
/// Nor has an unpacked one.
pub const UNPACKED: usize = 96 << 20;
/// A question, an answer and the end of a read have no more bytes, packed and unpacked alike.
pub const LETTER: usize = 8 << 20;
/// What is told of the last read has no more bytes; more cannot be told.
pub const TOLD: usize = 32 << 20;
/// So many lists of members are asked for at once: each may be long.
pub const LISTS: usize = 20;
/// So many entries are asked about at once.
pub const AT_ONCE: usize = 1000;

/// Where the gateway is asked, below its address.
pub mod path {
    /// Who the gateway is: open to all.
    pub const HELLO: &str = "/v1/hello";
    /// Where an engine joins, with a token.
    pub const JOIN: &str = "/v1/join";
    /// Where an engine asks whether it is enrolled.
    pub const CHECK: &str = "/v1/check";
    /// Where an engine asks for work.
    pub const WORK: &str = "/v1/work";

    /// Where a part of a batch goes.
    pub fn part(task: &str, number: u64) -> String {
        format!("/v1/tasks/{task}/parts/{number}")
    }

    /// Where an engine waits until there is room for another batch.
    pub fn room(task: &str) -> String {
        format!("/v1/tasks/{task}/room")
    }

    /// Where an engine asks what was read last.
    pub fn ask(task: &str) -> String {
        format!("/v1/tasks/{task}/ask")
    }

    /// Where the end of a task goes.
    pub fn end(task: &str) -> String {
        format!("/v1/tasks/{task}/end")
    }
}
