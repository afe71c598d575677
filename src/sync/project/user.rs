//! The projection of one user or contact.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use litemap::LiteMap;

use super::candidate::CandidateState;
use super::projection::{LeftOut, QuarantineReason, User};
use crate::directory::{Content, Entry, EntryKind, Evidence, FieldState, Grade, Stated, UserContent, fields};
use crate::store::link::Link;
use crate::store::snapshot::{Presence, Row};
use crate::sync::expression::{Asked, Expression, Failed};
use crate::sync::policy::{OnDisabled, UserRules};
use crate::text;

/// What is mapped unless the policy says otherwise.
const DEFAULT_ATTRIBUTES: &[&str] = &[fields::DISPLAY_NAME, fields::GIVEN_NAME, fields::FAMILY_NAME];

/// So many bytes of a value are shown where it is named.
const SHOWN: usize = 200;

/// What decides about a user.
pub(super) struct Rules<'a> {
    pub(super) users: &'a UserRules,
    pub(super) disabled_when: Option<&'a Expression>,
    pub(super) asked: Asked<'a>,
    pub(super) now: Timestamp,
}

/// Why an entry cannot be judged.
pub(super) struct Unclear(pub(super) QuarantineReason, pub(super) String);

impl From<Failed> for Unclear {
    fn from(failed: Failed) -> Self {
        let reason = if failed.unknown_field {
            QuarantineReason::UnknownField
        } else {
            QuarantineReason::ExpressionFailed
        };
        Self(reason, failed.to_string())
    }
}

impl<T> From<Unclear> for CandidateState<T> {
    fn from(Unclear(reason, message): Unclear) -> Self {
        Self::Quarantine(reason, message)
    }
}

/// The values of a field that must be known.
pub(super) fn values<'e>(entry: &'e Entry, field: &str, asked: Asked<'_>) -> Result<&'e [String], Unclear> {
    match entry.field(field, asked.fields) {
        FieldState::Value(values) => Ok(values),
        FieldState::Empty => Ok(&[]),
        FieldState::Unknown => {
            let why = format!(
                "its {field} is unknown: the value could not be decoded, is in another file (`<` in LDIF), or was not \
                 read; correct it in the directory, export the value itself, or allow the account to read it"
            );
            Err(Unclear(QuarantineReason::UnknownField, why))
        }
    }
}

/// What somebody may be called at the target, if the policy wants them: one of their addresses, else of their login names.
pub(super) fn names<'e>(entry: &'e Entry, asked: Asked<'_>) -> Result<&'e [String], Unclear> {
    match values(entry, fields::MAIL, asked)? {
        [] => values(entry, fields::USER_NAME, asked),
        addresses => Ok(addresses),
    }
}

/// Of several values that may name it, which have no order, the one that the target has comes first, and so stays its name.
pub(super) fn linked_first<'e>(entry: &'e Entry, link: Option<&Link>) -> Cow<'e, Entry> {
    let mut entry = Cow::Borrowed(entry);
    let Some(link) = link else { return entry };
    for field in [fields::MAIL, fields::USER_NAME, fields::NAME] {
        let Some(Stated::Values(values)) = entry.fields.get(field).filter(|stated| stated.are_several())
        else {
            continue;
        };
        let linked = link.confirmed.name_key();
        let at = values.iter().position(|value| value.to_lowercase() == linked).filter(|at| *at > 0);
        if let Some(at) = at
            && let Some(Stated::Values(values)) = entry.to_mut().fields.get_mut(field)
        {
            let value = values.remove(at);
            values.insert(0, value);
        }
    }
    entry
}

impl Rules<'_> {
    /// `link` is the object that the policy has for this entry.
    pub(super) fn judge(&self, row: &Row, link: Option<&Link>) -> CandidateState<User> {
        match &row.presence {
            Presence::Present => {
                self.present(&linked_first(&row.entry, link), link).unwrap_or_else(Into::into)
            }
            Presence::Unreadable(why) => {
                CandidateState::Quarantine(QuarantineReason::Unreadable, why.clone())
            }
            Presence::Unsettled { .. } => CandidateState::Unsettled,
            Presence::Gone { evidence, .. } => CandidateState::Gone(*evidence),
        }
    }

    fn present(&self, entry: &Entry, link: Option<&Link>) -> Result<CandidateState<User>, Unclear> {
        if entry.kind == EntryKind::Contact && !self.users.contacts {
            return Ok(CandidateState::Out(LeftOut::Scope));
        }
        if !self.users.without_mailboxes.is_empty() {
            let kinds = values(entry, fields::MAILBOX, self.asked)?;
            if kinds.iter().any(|kind| self.users.without_mailboxes.contains(kind)) {
                return Ok(CandidateState::Out(LeftOut::Scope));
            }
        }
        let mail = values(entry, fields::MAIL, self.asked)?.first();
        if !self.users.email_domains.is_empty() {
            let address = mail.and_then(|mail| mail.rsplit_once('@')).filter(|(local, _)| is_local(local));
            let domain = address.map(|(_, domain)| domain.to_lowercase()).filter(|domain| is_domain(domain));
            // Of somebody who is known it says nothing that an address is none.
            if let (None, Some(mail), Some(_)) = (&domain, mail, link) {
                return Err(no_address(
                    mail,
                    ", so it is unknown whether its domain is among users.emailDomains",
                ));
            }
            if !domain.is_some_and(|domain| self.users.email_domains.contains(&domain)) {
                return Ok(CandidateState::Out(LeftOut::Scope));
            }
        }
        if let Some(wanted) = &self.users.r#where
            && !wanted.holds(entry, self.asked)?
        {
            return Ok(CandidateState::Out(LeftOut::Scope));
        }
        if let Some(mail) = mail.filter(|mail| !is_address_or_name(mail)) {
            return Err(no_address(mail, ""));
        }
        let Some(user_name) = names(entry, self.asked)?.first() else {
            return Ok(CandidateState::Out(LeftOut::NoAddress));
        };
        let disabled = match (self.is_disabled(entry)?, self.users.disabled, link.map(|link| link.active)) {
            (true, _, None) => return Ok(CandidateState::Out(LeftOut::DisabledAtFirstSight)),
            (true, OnDisabled::Leave, Some(_)) => {
                return Ok(CandidateState::Gone(Evidence::data(Grade::Disabled)));
            }
            // The account stays as it is.
            (true, OnDisabled::Ignore, Some(active)) => !active,
            (disabled, ..) => disabled,
        };
        let content = UserContent {
            user_name: user_name.clone(),
            emails: self.emails(entry, mail, link)?,
            attributes: self.attributes(entry)?,
        };
        Ok(CandidateState::Keep(User { content: Arc::new(Content::User(content)), disabled }))
    }

    /// What the directory says about the account, or what the connector's own rule makes of it.
    fn is_disabled(&self, entry: &Entry) -> Result<bool, Unclear> {
        if entry.disabled == Some(true) || entry.expires.is_some_and(|at| at <= self.now) {
            return Ok(true);
        }
        self.disabled_when.map_or(Ok(false), |rule| Ok(rule.holds(entry, self.asked)?))
    }

    /// The primary one, then the others, which have no order: those that the target has in the order that they have there.
    fn emails(
        &self,
        entry: &Entry,
        mail: Option<&String>,
        link: Option<&Link>,
    ) -> Result<Vec<String>, Unclear> {
        let others = values(entry, fields::MAIL, self.asked)?;
        let others = others.iter().chain(values(entry, fields::ALIASES, self.asked)?);
        let mut known = HashSet::new();
        let all = mail.into_iter().chain(others);
        let mut emails: Vec<String> =
            all.filter(|address| known.insert(address.to_ascii_lowercase())).cloned().collect();
        if let (Some(Content::User(before)), Some((_, others))) =
            (link.map(|link| &*link.confirmed), emails.split_first_mut())
        {
            let at: HashMap<&String, usize> =
                before.emails.iter().rev().zip((0..before.emails.len()).rev()).collect();
            others.sort_by_key(|address| at.get(address).copied().unwrap_or(usize::MAX));
        }
        Ok(emails)
    }

    fn attributes(&self, entry: &Entry) -> Result<LiteMap<String, String>, Unclear> {
        let mut attributes = LiteMap::with_capacity(DEFAULT_ATTRIBUTES.len() + self.users.attributes.len());
        for field in DEFAULT_ATTRIBUTES {
            if !self.users.attributes.contains_key(*field)
                && let Some(value) = values(entry, field, self.asked)?.first()
            {
                attributes.insert((*field).to_owned(), value.clone());
            }
        }
        for (name, expression) in &self.users.attributes {
            let value = expression.text(entry, self.asked)?;
            if !value.is_empty() {
                attributes.insert(name.clone(), value);
            }
        }
        Ok(attributes)
    }
}

/// The neutral fields that every user's projection reads, whatever the policy. What kind of mailbox somebody has
/// decides whether their disabled account says anything.
pub(super) fn fields_read() -> impl Iterator<Item = &'static str> {
    [fields::MAIL, fields::USER_NAME, fields::ALIASES, fields::MAILBOX]
        .into_iter()
        .chain(DEFAULT_ATTRIBUTES.iter().copied())
}

/// What is wrong with an entry whose mail is not one address.
fn no_address(mail: &str, so: &str) -> Unclear {
    let why = format!(
        "its mail \"{}\" is not one address (a name, an @ and a domain name, and nothing else){so}; correct it in the directory",
        text::clean_within(mail, SHOWN)
    );
    Unclear(QuarantineReason::UnknownField, why)
}

/// Whether it is one address, in a domain or at a host's number; or a name without an `@`, which some directories have for their own.
fn is_address_or_name(text: &str) -> bool {
    let is_number = |host: &str| host.starts_with('[') && host.ends_with(']') && !host.contains(is_special);
    match text.rsplit_once('@') {
        Some((local, host)) => is_local(local) && (is_domain(host) || is_number(&host.replace(':', ""))),
        None => !text.contains(['<', '>']),
    }
}

/// What separates addresses, or sets off a name or a protocol (`mailto:`) from one (RFC 5321, RFC 5322).
fn is_special(sign: char) -> bool {
    sign.is_whitespace() || sign.is_control() || "@,;:<>()\\\"".contains(sign)
}

/// Whether it may stand before the `@` of one address, and not of several or of one with a name: a quoted text, or one without
/// signs that must be quoted. A dot may stand anywhere, as some providers let it.
fn is_local(text: &str) -> bool {
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    quoted.map_or_else(
        || !text.is_empty() && !text.contains(|sign| is_special(sign) || "[]".contains(sign)),
        is_quotable,
    )
}

/// Whether it may stand between quotes: another quote or a backslash only after a backslash.
fn is_quotable(text: &str) -> bool {
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        let is_good = match sign {
            '"' => false,
            '\\' => signs.next().is_some(),
            sign => !sign.is_control(),
        };
        if !is_good {
            return false;
        }
    }
    true
}

/// Whether it may be a domain name, in letters of any script: what damage or a person appended makes it none.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.chars().all(|sign| sign.is_alphanumeric() || matches!(sign, '-' | '_'))
    };
    text.split('.').all(is_label)
}
