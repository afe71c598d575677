//! What an expression is about.

use crate::directory::fields;

/// What an expression is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// It sees `user`.
    User,
    /// It sees `group`.
    Group,
}

impl Subject {
    /// The variable that expressions see.
    pub fn variable(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
        }
    }

    pub(super) fn fields(self) -> &'static [&'static str] {
        match self {
            Self::User => fields::OF_USER,
            Self::Group => fields::OF_GROUP,
        }
    }
}
