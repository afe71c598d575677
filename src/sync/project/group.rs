//! The projection of one group, without its members.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::Arc;

use litemap::LiteMap;
use wildmatch::WildMatch;

use super::candidate::CandidateState;
use super::projection::{LeftOut, QuarantineReason};
use super::user::{Unclear, linked_first, values};
use crate::directory::{Content, Entry, GroupContent, Stated, fields, folded};
use crate::store::link::Link;
use crate::store::snapshot::{Presence, Row};
use crate::sync::expression::{Asked, Expression};
use crate::sync::policy::GroupRules;

/// What is mapped.
const ATTRIBUTES: &[&str] = &[fields::MAIL, fields::DESCRIPTION];

/// What decides about a group.
pub(super) struct Rules<'a> {
    pub(super) groups: &'a GroupRules,
    pub(super) asked: Asked<'a>,
}

/// What a group may be called at the target, if the policy wants it: one for each name that the directory has for it. A name of which
/// the policy makes none is left out.
pub(super) fn names<'e>(
    entry: &'e Entry,
    rules: &GroupRules,
    asked: Asked<'_>,
) -> Result<Cow<'e, [String]>, Unclear> {
    let names = values(entry, fields::NAME, asked)?;
    let Some(template) = &rules.name else { return Ok(Cow::Borrowed(names)) };
    let each = (0..names.len()).filter_map(|at| name_of(template, &with_name(entry, at), asked).ok());
    Ok(Cow::Owned(each.collect()))
}

/// The group with this one of its names first: the expression sees that.
fn with_name(entry: &Entry, at: usize) -> Cow<'_, Entry> {
    let mut entry = Cow::Borrowed(entry);
    if at > 0
        && let Some(Stated::Values(names)) = entry.to_mut().fields.get_mut(fields::NAME)
        && let Some(names) = names.get_mut(..=at)
    {
        names.rotate_right(1);
    }
    entry
}

fn name_of(template: &Expression, entry: &Entry, asked: Asked<'_>) -> Result<String, Unclear> {
    let name = template.text(entry, asked)?.trim().to_owned();
    if name.is_empty() || name.chars().any(char::is_control) {
        let why = "groups.name makes no name of it: the text is empty or has control characters; correct the expression, or leave \
                   the group out with groups.where";
        return Err(Unclear(QuarantineReason::ExpressionFailed, why.to_owned()));
    }
    Ok(name)
}

impl Rules<'_> {
    /// `link` is the object that the policy has for this entry.
    pub(super) fn judge(&self, row: &Row, link: Option<&Link>) -> CandidateState<Arc<Content>> {
        match &row.presence {
            Presence::Present => {
                self.present(&self.linked_first(&row.entry, link)).unwrap_or_else(Into::into)
            }
            Presence::Unreadable(why) => {
                CandidateState::Quarantine(QuarantineReason::Unreadable, why.clone())
            }
            Presence::Unsettled { .. } => CandidateState::Unsettled,
            Presence::Gone { evidence, .. } => CandidateState::Gone(*evidence),
        }
    }

    /// Of several names, the one that the target has comes first. After an edit of `groups.name` that is the one of which the name at
    /// the target was made: it is part of it, as a rule.
    fn linked_first<'e>(&self, entry: &'e Entry, link: Option<&Link>) -> Cow<'e, Entry> {
        let (Some(template), Some(link)) = (&self.groups.name, link) else {
            return linked_first(entry, link);
        };
        let linked = link.confirmed.name_key();
        let names = values(entry, fields::NAME, self.asked).ok().unwrap_or_default();
        // Nearly all have one, of which the expression is asked when the group is judged.
        if names.len() < 2 {
            return Cow::Borrowed(entry);
        }
        let makes_it = |at: &usize| {
            let made = name_of(template, &with_name(entry, *at), self.asked);
            made.is_ok_and(|made| made.to_lowercase() == linked)
        };
        let is_in_it = || {
            let within = names.iter().enumerate().filter(|(_, name)| linked.contains(&name.to_lowercase()));
            within.max_by_key(|(at, name)| (name.len(), Reverse(*at))).map(|(at, _)| at)
        };
        let is_wanted = || names.iter().position(|name| self.is_wanted(&folded(name)));
        let at = (0..names.len()).find(makes_it).or_else(is_in_it).or_else(is_wanted);
        with_name(entry, at.unwrap_or_default())
    }

    fn present(&self, entry: &Entry) -> Result<CandidateState<Arc<Content>>, Unclear> {
        let Some(name) = values(entry, fields::NAME, self.asked)?.first() else {
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
        let display_name = match &self.groups.name {
            Some(template) => name_of(template, entry, self.asked)?,
            None => name.clone(),
        };
        let mut attributes = LiteMap::new();
        for field in ATTRIBUTES {
            if let Some(value) = values(entry, field, self.asked)?.first() {
                attributes.insert((*field).to_owned(), value.clone());
            }
        }
        Ok(CandidateState::Keep(Arc::new(Content::Group(GroupContent { display_name, attributes }))))
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
