//! What a target should hold for a subject, in neutral form.

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use super::SubjectKind;

/// A user as a target should hold it. Whether the account is active is not part of it: see
/// [`super::Operation::SetActive`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserContent {
    /// Unique at the target: the primary address, else the login name.
    pub user_name: String,
    /// E-mail addresses, the primary one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<String>,
    /// The mapped attributes (`displayName`, `givenName`, `title`, …); an empty one is left out.
    #[serde(default, skip_serializing_if = "LiteMap::is_empty")]
    pub attributes: LiteMap<String, String>,
}

/// A group as a target should hold it, without its members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupContent {
    /// Unique at the target.
    pub display_name: String,
    /// The mapped attributes (`mail`, `description`).
    #[serde(default, skip_serializing_if = "LiteMap::is_empty")]
    pub attributes: LiteMap<String, String>,
}

/// What a target should hold for a subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Content {
    /// A user.
    User(UserContent),
    /// A group.
    Group(GroupContent),
}

impl Content {
    /// What it is of.
    pub fn kind(&self) -> SubjectKind {
        match self {
            Self::User(_) => SubjectKind::User,
            Self::Group(_) => SubjectKind::Group,
        }
    }

    /// The name that must be unique at the target among subjects of the same kind.
    pub fn name(&self) -> &str {
        match self {
            Self::User(user) => &user.user_name,
            Self::Group(group) => &group.display_name,
        }
    }

    /// [`Content::name`] as targets compare it: names differ only if they differ in more than
    /// letter case (RFC 7643 section 4.1.1: `userName` is case-insensitive).
    pub fn name_key(&self) -> String {
        self.name().to_lowercase()
    }

    /// The same under another unique name.
    #[must_use]
    pub fn with_name(mut self, name: &str) -> Self {
        let place = match &mut self {
            Self::User(user) => &mut user.user_name,
            Self::Group(group) => &mut group.display_name,
        };
        name.clone_into(place);
        self
    }

    /// The mapped attributes.
    pub fn attributes(&self) -> &LiteMap<String, String> {
        match self {
            Self::User(user) => &user.attributes,
            Self::Group(group) => &group.attributes,
        }
    }
}
