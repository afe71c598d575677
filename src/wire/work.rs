//! What is asked of an engine, and what it answers, beside the batches.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::completion::Completion;
use super::entry::Kind;
use super::last::KnownBy;
use super::seal::Seal;

/// Who the gateway is. Told to whoever asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Greeting {
    /// This process: what is signed is signed for it.
    pub instance: String,
    /// The oldest version that it speaks.
    pub oldest: u32,
    /// The newest version that it speaks.
    pub newest: u32,
    /// The version of its software.
    pub software: String,
    /// What time it has.
    pub now: Timestamp,
}

/// What joins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Join {
    /// The public half of its key, as hexadecimal digits.
    pub key: String,
    /// The machine's name.
    pub host: String,
}

/// Who asks for work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// The oldest version that it speaks.
    pub oldest: u32,
    /// The newest version that it speaks.
    pub newest: u32,
    /// The version of its software.
    pub software: String,
    /// The machine's name.
    pub host: String,
    /// The tasks that it has.
    pub has: BTreeSet<String>,
    /// Why it does nothing at the moment, if somebody stopped it there.
    pub stopped: Option<String>,
}

/// What there is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Work {
    /// A task that it has not, if there is one.
    pub task: Option<Task>,
    /// Tasks of its own that are not wanted any more.
    pub dropped: BTreeSet<String>,
    /// Why it has nothing to do, if another engine reads. Told from [`super::STANDBY`] on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standby: Option<String>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Task {
    /// Which one: nobody can guess it.
    pub id: String,
    /// What to read, as JSON: its digest begins the chain.
    pub read: Option<Box<Read>>,
    /// Whom to look up.
    pub look_up: Option<Box<LookUp>>,
}

/// A read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Read {
    /// Of what.
    pub directory: Directory,
    /// Where the last one ended, as hexadecimal digits.
    pub cursor: Option<String>,
    /// How those of the last one are known.
    pub known_by: Option<KnownBy>,
}

/// A look-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LookUp {
    /// In what.
    pub directory: Directory,
    /// Whom.
    pub anchors: Vec<String>,
    /// What they were called.
    pub called: BTreeMap<String, String>,
}

/// The kinds of directories that an engine reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Server {
    /// A domain of Active Directory.
    ActiveDirectory,
    /// Any other LDAP server.
    Ldap,
}

/// How changes are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeFeed {
    /// The best way that there is.
    Auto,
    /// By `DirSync`.
    DirSync,
    /// By update sequence numbers.
    UsnChanged,
    /// Everything is read.
    FullRead,
}

/// What is read of a directory. Where it is and who reads it, only the engine knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Directory {
    /// What it is.
    pub server: Server,
    /// Where to read.
    pub base_dns: Vec<String>,
    /// What is left out.
    pub exclude_dns: Vec<String>,
    /// Which entries are users.
    pub user_filter: Option<String>,
    /// Which entries are groups.
    pub group_filter: Option<String>,
    /// How changes are found.
    pub change_feed: ChangeFeed,
    /// The attribute with the anchors, if it is named.
    pub anchor: Option<String>,
    /// How many entries are asked for at once.
    pub page_size: u32,
    /// The attributes that policies name.
    pub literal: BTreeSet<String>,
}

/// Whom a look-up found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LookedUp {
    /// Which server said so.
    pub server: Option<String>,
    /// There, and not read.
    pub found: Vec<String>,
    /// There, and of no kind: each with its DN, what it is, and who is told by their classes alone.
    pub of_no_kind: Vec<(String, String, String, Vec<Kind>)>,
    /// Not there.
    pub missing: Vec<String>,
    /// Those of them of whom what they were below is not there either.
    pub orphans: Vec<String>,
    /// What those who are there are called.
    pub called: BTreeMap<String, Vec<String>>,
}

/// Why a task failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Failure {
    /// In one word.
    pub reason: String,
    /// For people.
    pub message: String,
    /// How long the directory asks to be left alone.
    pub retry_after_seconds: Option<u64>,
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum Outcome {
    /// A read reached its end, after these parts.
    Complete(Seal, Box<Completion>),
    /// A look-up did.
    LookedUp(Box<LookedUp>),
    /// It failed.
    Failed(Failure),
}

/// The end of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct End {
    /// How it ended.
    pub outcome: Outcome,
}

/// What became of a part or an end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The number of the next part.
    pub next: u64,
    /// How many more batches there is room for.
    pub room: u32,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// In one word: see [`code`].
    pub code: String,
    /// For people.
    pub message: String,
}

/// Why a request is refused, in one word.
pub mod code {
    /// It is not signed as it must be.
    pub const UNSIGNED: &str = "unsigned";
    /// It is signed for another process of the gateway: greet it again.
    pub const INSTANCE: &str = "instance";
    /// The key is not enrolled, or not any more.
    pub const KEY: &str = "key";
    /// The signature does not belong to the request.
    pub const SIGNATURE: &str = "signature";
    /// It came before.
    pub const REPLAYED: &str = "replayed";
    /// The clocks differ too much.
    pub const CLOCK: &str = "clock";
    /// The versions do not fit.
    pub const VERSION: &str = "version";
    /// Another engine with the same key was started later.
    pub const SUPERSEDED: &str = "superseded";
    /// The token is unknown, was used or has expired.
    pub const TOKEN: &str = "token";
    /// There are too many requests, or there is no room now.
    pub const BUSY: &str = "busy";
    /// It is larger than it may be.
    pub const TOO_LARGE: &str = "tooLarge";
    /// It is not what was expected.
    pub const INVALID: &str = "invalid";
    /// The part does not follow the one before.
    pub const CHAIN: &str = "chain";
    /// The task is not there any more.
    pub const GONE: &str = "gone";
    /// The gateway cannot do it now.
    pub const UNAVAILABLE: &str = "unavailable";
    /// There is nothing at that path.
    pub const NOT_FOUND: &str = "notFound";
}
