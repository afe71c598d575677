//! The projection of one group, without its members.

use std::sync::Arc;

use litemap::LiteMap;
use wildmatch::WildMatch;

use super::candidate::CandidateState;
use super::projection::{LeftOut, QuarantineReason};
use super::user::{Unclear, linked_first, values};
use crate::directory::{Content, Entry, GroupContent, fields, folded};
use crate::store::link::Link;
use crate::store::snapshot::{Presence, Row};
use crate::sync::expression::Asked;
use crate::sync::policy::GroupRules;

/// What is mapped.
const ATTRIBUTES: &[&str] = &[fields::MAIL, fields::DESCRIPTION];

/// What decides about a group.
pub(super) struct Rules<'a> {
    pub(super) groups: &'a GroupRules,
    pub(super) asked: Asked<'a>,
}

/// What a group may be called at the target, if the policy wants it.
pub(super) fn names<'e>(entry: &'e Entry, asked: Asked<'_>) -> Result<&'e [String], Unclear> {
    values(entry, fields::NAME, asked)
}

impl Rules<'_> {
    /// `link` is the object that the policy has for this entry.
    pub(super) fn judge(&self, row: &Row, link: Option<&Link>) -> CandidateState<Arc<Content>> {
        match &row.presence {
            Presence::Present => self.present(&linked_first(&row.entry, link)).unwrap_or_else(Into::into),
            Presence::Unreadable(why) => {
                CandidateState::Quarantine(QuarantineReason::Unreadable, why.clone())
            }
            Presence::Unsettled { .. } => CandidateState::Unsettled,
            Presence::Gone { evidence, .. } => CandidateState::Gone(*evidence),
        }
    }

    fn present(&self, entry: &Entry) -> Result<CandidateState<Arc<Content>>, Unclear> {
        let Some(name) = names(entry, self.asked)?.first() else {
            return Ok(CandidateState::Out(LeftOut::GroupScope));
        };
        if !self.is_wanted(&folded(name)) {
            return Ok(CandidateState::Out(LeftOut::GroupScope));
        }
        if let Some(wanted) = &self.groups.r#where
            && !wanted.holds(entry, self.asked)?
        {
            return Ok(CandidateState::Out(LeftOut::GroupScope));
        }
        let mut attributes = LiteMap::new();
        for field in ATTRIBUTES {
            if let Some(value) = values(entry, field, self.asked)?.first() {
                attributes.insert((*field).to_owned(), value.clone());
            }
        }
        Ok(CandidateState::Keep(Arc::new(Content::Group(GroupContent {
            display_name: name.clone(),
            attributes,
        }))))
    }

    fn is_wanted(&self, name: &str) -> bool {
        let matches =
            |patterns: &[String]| patterns.iter().any(|pattern| WildMatch::new(pattern).matches(name));
        (self.groups.include.is_empty() || matches(&self.groups.include)) && !matches(&self.groups.exclude)
    }
}

/// The neutral fields that every group's projection reads, whatever the policy.
pub(super) fn fields_read() -> impl Iterator<Item = &'static str> {
    [fields::NAME, fields::MEMBERS].into_iter().chain(ATTRIBUTES.iter().copied())
}
