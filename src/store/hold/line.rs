//! One held operation.

use serde::{Deserialize, Serialize};

/// One held operation. `class`, `subject`, `member`, `grade`, `doubtful` and `verb` make the digest; the rest is
/// for people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// What it is: `userRemoval`, `groupRemoval`, `memberRemoval`, `identifierChange`, `disable`,
    /// `clear`, `enable`, `other`.
    pub class: String,
    /// The key of the user or group.
    pub subject: String,
    /// The key of the member, for a membership.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The evidence, if the class needs one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grade: Option<String>,
    /// Whether it follows from a field that many lost at once, which may be no fact.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doubtful: bool,
    /// What would be done, in one word: `disable`, `delete`, `empty`, `takeOut` and so on. An approval covers
    /// this and nothing graver. Holds of versions that did not say it have none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub verb: String,
    /// The same, in words.
    #[serde(default)]
    pub action: String,
    /// The name of the user or group.
    #[serde(default)]
    pub name: String,
    /// The member's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_name: Option<String>,
    /// The rule that holds it.
    #[serde(default)]
    pub why: String,
}

/// What makes a line what it is: class, subject, member, grade, doubt and verb.
pub type Identity = (String, String, Option<String>, Option<String>, bool, String);

impl Line {
    /// What makes it what it is; the rest of it is for people.
    pub fn identity(&self) -> Identity {
        let Self { class, subject, member, grade, doubtful, verb, .. } = self;
        (class.clone(), subject.clone(), member.clone(), grade.clone(), *doubtful, verb.clone())
    }

    /// What a grade is followed by when an edit of a spec is the cause.
    pub const BY_EDIT: &str = " (configuration)";

    /// Whether an approval settles it: not where nothing says that somebody left but that a file lacks them.
    pub fn can_be_approved(&self) -> bool {
        self.grade.is_some() || !["userRemoval", "groupRemoval"].contains(&self.class.as_str())
    }

    /// Whether an edit of a spec is the cause.
    pub fn is_configuration(&self) -> bool {
        self.grade.as_ref().is_some_and(|grade| grade.ends_with(Self::BY_EDIT))
    }
}
