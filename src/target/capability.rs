//! What a target can do.

use crate::directory::SubjectKind;

/// What a target can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Capabilities {
    /// Users; `None` for a target that has none: members are then named by what the policy maps.
    pub users: Option<OfKind>,
    /// Groups; `None` for a target that has none.
    pub groups: Option<OfKind>,
    /// Whether a user can be disabled and enabled again.
    pub disable: bool,
    /// Whether a group can be a member of a group.
    pub nested_groups: bool,
    /// Whether each address of a user is an account of its own there, which works until it is disabled.
    pub addresses_are_accounts: bool,
    /// Whether it shows who is in a group.
    pub members_readable: bool,
    /// How many members one operation may add or remove.
    pub members_per_operation: usize,
    /// How many operations one call of [`Target::apply`](super::Target::apply) may bring.
    pub batch: usize,
    /// How many such calls may be under way at once.
    pub at_once: usize,
    /// How often it may be called.
    pub rates: Rates,
    /// Whether somebody else can write there: then existing objects may have to be adopted, and
    /// verified from time to time.
    pub shared: bool,
}

/// What a target can do with objects of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfKind {
    /// Whether an object can get another name.
    pub rename: bool,
    /// Whether an object can be deleted.
    pub delete: bool,
    /// Whether an object keeps our key, and is found by it (`externalId`).
    pub holds_key: bool,
    /// Whether two objects can have one name.
    pub names: Names,
    /// Which names it takes.
    pub limits: NameLimits,
}

/// What the vendor of a target says of the names that it takes. What nobody documents is left to the target itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameLimits {
    /// Characters of a name at most.
    pub longest: Option<usize>,
    /// Names that nobody may have.
    pub reserved: &'static [&'static str],
}

impl NameLimits {
    /// Nothing is documented.
    pub const UNKNOWN: Self = Self { longest: None, reserved: &[] };
}

/// Whether two objects of one kind can have one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// They can.
    Shared,
    /// They cannot; names that differ only in case are the same.
    UniqueIgnoringCase,
    /// They cannot; names that differ only in case are two names.
    UniqueByCase,
}

/// How often a target may be called; `None` where it says so itself, or sets no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Without changing anything.
    pub reads_per_minute: Option<u32>,
    /// To change something.
    pub writes_per_minute: Option<u32>,
}

impl Capabilities {
    /// What it can do with objects of this kind; `None` if it has none.
    pub fn of(&self, kind: SubjectKind) -> Option<OfKind> {
        match kind {
            SubjectKind::User => self.users,
            SubjectKind::Group => self.groups,
        }
    }
}
