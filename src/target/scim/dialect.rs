//! What a service does otherwise than RFC 7644 says, as fields.

use crate::directory::SubjectKind;
use crate::target::{NameLimits, Names};

/// How requests to a service are written, and how its answers are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// How a user is changed.
    pub user_update: Update,
    /// How a group's name is changed.
    pub group_update: Update,
    /// How `op` is written.
    pub operators: Operators,
    /// How `true` and `false` are written in a PATCH.
    pub booleans: Booleans,
    /// How members are taken out.
    pub removal: Removal,
    /// How many members one request may add or remove.
    pub members_per_request: usize,
    /// Whether a group shows its members.
    pub members: Members,
    /// Whether a member that is added again is there twice: then it is looked who is in.
    pub adds_twice: bool,
    /// How a list goes on.
    pub paging: Paging,
    /// How many resources are asked for at once.
    pub page: u32,
    /// Whether it keeps our `externalId`.
    pub keys: Keys,
    /// How a user is found by its `externalId`.
    pub user_key: LookUp,
    /// How a user is found by its `userName`.
    pub user_name: LookUp,
    /// How a user is found by an e-mail address.
    pub user_address: LookUp,
    /// How a group is found by its `externalId`.
    pub group_key: LookUp,
    /// How a group is found by its `displayName`.
    pub group_name: LookUp,
    /// Whether a filter finds a `userName` only in the letter case that it has.
    pub names_by_case: bool,
    /// Whether two users can have one `userName`.
    pub user_names: Names,
    /// Whether two groups can have one `displayName`.
    pub group_names: Names,
    /// Which `userName` it takes.
    pub user_limits: NameLimits,
    /// Which `displayName` of a group it takes.
    pub group_limits: NameLimits,
    /// How many e-mail addresses of a user it keeps.
    pub addresses: Addresses,
    /// Which other attributes of a user it keeps.
    pub attributes: Attributes,
    /// Whether a group can be a member.
    pub nested: bool,
    /// What DELETE does to a user.
    pub deletion: Deletion,
    /// How often it may be asked.
    pub rates: Rates,
    /// How many requests it gets at the same time.
    pub at_once: usize,
}

/// How a resource is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// By PATCH of what differs.
    Patch,
    /// By PUT of the resource as it was read, with what differs.
    Put,
}

/// How `op` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operators {
    /// `add`
    Lower,
    /// `Add`
    Capital,
}

/// How `true` and `false` are written in a PATCH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Booleans {
    /// `false`
    Json,
    /// `"False"`
    Text,
}

/// How members are taken out of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// `members[value eq "id"]`, one operation for each.
    ByPath,
    /// `members` with the ids as value.
    ByValue,
    /// `members[value eq "id"]`, one request for each.
    OneAtATime,
}

/// Whether a group shows its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Members {
    /// Always.
    Given,
    /// Only when they are asked for by name.
    Asked,
    /// Never.
    Never,
}

/// How a list goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// By the number of the first resource.
    Index,
    /// By a cursor (RFC 9865).
    Cursor,
}

/// Of which kinds a service keeps our `externalId`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Of users.
    pub users: bool,
    /// Of groups.
    pub groups: bool,
}

/// How something is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookUp {
    /// By a filter that is known to work.
    Filter,
    /// By a filter, after a check that it works.
    Unproven,
    /// In the whole list.
    List,
    /// Not at all: the service has no such attribute.
    None,
}

/// How many e-mail addresses of a user are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// All.
    All,
    /// The primary one.
    Primary,
}

/// Which other attributes of a user are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attributes {
    /// All that a mapping can set.
    All,
    /// These.
    Only(&'static [&'static str]),
}

/// What DELETE does to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It is gone.
    Deletes,
    /// It is there, and disabled.
    Disables,
}

/// How often a service may be asked, each minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Reads.
    pub reads: Option<u32>,
    /// Writes.
    pub writes: Option<u32>,
}

/// Fields that an administrator sets for one target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the field of `Dialect` that it overrides")]
pub struct Overrides {
    pub user_update: Option<Update>,
    pub group_update: Option<Update>,
    pub operators: Option<Operators>,
    pub booleans: Option<Booleans>,
    pub removal: Option<Removal>,
    pub members_per_request: Option<usize>,
    pub members: Option<Members>,
    pub adds_twice: Option<bool>,
    pub paging: Option<Paging>,
    pub page: Option<u32>,
    pub keys_of_users: Option<bool>,
    pub keys_of_groups: Option<bool>,
    pub user_key: Option<LookUp>,
    pub user_name: Option<LookUp>,
    pub user_address: Option<LookUp>,
    pub group_key: Option<LookUp>,
    pub group_name: Option<LookUp>,
    pub names_by_case: Option<bool>,
    pub user_names: Option<Names>,
    pub group_names: Option<Names>,
    pub addresses: Option<Addresses>,
    pub nested: Option<bool>,
    pub deletion: Option<Deletion>,
    pub reads_per_minute: Option<u32>,
    pub writes_per_minute: Option<u32>,
    pub at_once: Option<usize>,
}

impl Dialect {
    /// How an object of this kind is looked up.
    pub(super) fn look_up(&mut self, kind: SubjectKind, by: By) -> &mut LookUp {
        match (kind, by) {
            (SubjectKind::User, By::Key) => &mut self.user_key,
            (SubjectKind::User, By::Name) => &mut self.user_name,
            (SubjectKind::Group, By::Key) => &mut self.group_key,
            (SubjectKind::Group, By::Name) => &mut self.group_name,
            (_, By::Address) => &mut self.user_address,
        }
    }

    /// Whether an object of this kind keeps our key.
    pub fn holds_key(&self, kind: SubjectKind) -> bool {
        match kind {
            SubjectKind::User => self.keys.users,
            SubjectKind::Group => self.keys.groups,
        }
    }

    /// How an object of this kind is changed.
    pub(super) fn update(&mut self, kind: SubjectKind) -> &mut Update {
        match kind {
            SubjectKind::User => &mut self.user_update,
            SubjectKind::Group => &mut self.group_update,
        }
    }

    /// Whether it keeps the attribute of this name.
    pub fn keeps(&self, attribute: &str) -> bool {
        match self.attributes {
            Attributes::All => true,
            Attributes::Only(these) => these.contains(&attribute),
        }
    }
}

/// By what an object is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum By {
    /// `externalId`
    Key,
    /// `userName`, `displayName`
    Name,
    /// `emails.value`
    Address,
}

impl Overrides {
    /// The dialect with these fields in place of its own. What would stop everything is raised to one.
    pub fn over(&self, is: Dialect) -> Dialect {
        Dialect {
            user_update: self.user_update.unwrap_or(is.user_update),
            group_update: self.group_update.unwrap_or(is.group_update),
            operators: self.operators.unwrap_or(is.operators),
            booleans: self.booleans.unwrap_or(is.booleans),
            removal: self.removal.unwrap_or(is.removal),
            members_per_request: self.members_per_request.unwrap_or(is.members_per_request).max(1),
            members: self.members.unwrap_or(is.members),
            adds_twice: self.adds_twice.unwrap_or(is.adds_twice),
            paging: self.paging.unwrap_or(is.paging),
            page: self.page.unwrap_or(is.page).max(1),
            keys: Keys {
                users: self.keys_of_users.unwrap_or(is.keys.users),
                groups: self.keys_of_groups.unwrap_or(is.keys.groups),
            },
            user_key: self.user_key.unwrap_or(is.user_key),
            user_name: self.user_name.unwrap_or(is.user_name),
            user_address: self.user_address.unwrap_or(is.user_address),
            group_key: self.group_key.unwrap_or(is.group_key),
            group_name: self.group_name.unwrap_or(is.group_name),
            names_by_case: self.names_by_case.unwrap_or(is.names_by_case),
            user_names: self.user_names.unwrap_or(is.user_names),
            group_names: self.group_names.unwrap_or(is.group_names),
            user_limits: is.user_limits,
            group_limits: is.group_limits,
            addresses: self.addresses.unwrap_or(is.addresses),
            attributes: is.attributes,
            nested: self.nested.unwrap_or(is.nested),
            deletion: self.deletion.unwrap_or(is.deletion),
            rates: Rates {
                reads: self.reads_per_minute.map_or(is.rates.reads, |rate| Some(rate.max(1))),
                writes: self.writes_per_minute.map_or(is.rates.writes, |rate| Some(rate.max(1))),
            },
            at_once: self.at_once.unwrap_or(is.at_once).max(1),
        }
    }
}
