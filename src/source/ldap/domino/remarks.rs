//! What people should know about what came of a Domino Directory.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::config::DominoConfig;
use crate::directory::EntryKind;
use crate::source::schema::domino::purpose::Purpose;
use crate::source::schema::domino::{ANCHOR, lacks_address, shows_purpose};
use crate::source::schema::{self, Attributes};
use crate::source::{Reason, SourceError};
use crate::words::count;

/// What was seen of the entries that came.
#[derive(Default)]
pub(super) struct Remarks {
    /// Who has a mail file and no Internet address.
    without_address: AtomicU64,
    groups: AtomicU64,
    /// Whether a group shows what it is for.
    shows_purpose: AtomicBool,
}

impl Remarks {
    pub(super) fn note(&self, kind: EntryKind, attributes: &Attributes) {
        if kind == EntryKind::Group {
            self.groups.fetch_add(1, Ordering::Relaxed);
            self.shows_purpose.fetch_or(shows_purpose(attributes), Ordering::Relaxed);
        } else {
            self.without_address.fetch_add(u64::from(lacks_address(attributes)), Ordering::Relaxed);
        }
    }

    /// Some group must show what it is for, unless all are wanted: else deny lists would be read as groups of people.
    pub(super) fn are_purposes_known(&self, wanted: &BTreeSet<Purpose>) -> Result<(), SourceError> {
        let is_any_wanted = wanted.len() == Purpose::ALL.len();
        let shown = self.shows_purpose.load(Ordering::Relaxed);
        if is_any_wanted || shown || self.groups.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        let message = "no group shows its groupType, so deny lists and groups of servers cannot be told from others; nothing was used. \
                       Bind with an account that may read it (credentialsSecretRef), or add groupType to the fields that anonymous \
                       users can query via LDAP, in the domain's Configuration Settings document. If no group has one, name all five \
                       in groupTypes";
        Err(SourceError::new(Reason::AccessDenied, message))
    }

    pub(super) fn told(&self, config: &DominoConfig) -> Vec<String> {
        let mut remarks = Vec::new();
        if config.ldap.bind.is_none() {
            remarks.push(format!(
                "the directory is read anonymously: Domino shows only the fields that its configuration allows everybody, and what \
                 it hides looks as if it did not exist; name an account with credentialsSecretRef, or allow {ANCHOR}, member and \
                 groupType there"
            ));
        }
        remarks.extend(config.anchor.as_deref().and_then(schema::cost));
        let groups = self.groups.load(Ordering::Relaxed);
        if !config.ldap.base_dns.is_empty() && groups == 0 {
            let why = "no group came: groups have flat names, which are not below baseDNs; leave baseDNs out to read them";
            remarks.push(why.to_owned());
        }
        let without_address = self.without_address.load(Ordering::Relaxed);
        if without_address > 0 {
            remarks.push(format!(
                "{} a mail file (mailFile) and no Internet address (mail), so policies that need an address leave them out; the \
                 action Set Internet Address of the Domino Directory fills it",
                count(without_address, "entry has", "entries have")
            ));
        }
        remarks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_hide_what_they_are_for_end_the_read() {
        let group = |purpose: Option<&str>| {
            let mut attributes = Attributes::new();
            attributes.add("groupType", purpose.map(|purpose| purpose.as_bytes().to_vec()));
            attributes
        };
        let (some, all) = (BTreeSet::from([Purpose::MultiPurpose]), BTreeSet::from(Purpose::ALL));
        let remarks = Remarks::default();
        assert!(remarks.are_purposes_known(&some).is_ok(), "no group came");
        remarks.note(EntryKind::Group, &group(None));
        assert_eq!(remarks.are_purposes_known(&some).unwrap_err().reason, Reason::AccessDenied);
        assert!(remarks.are_purposes_known(&all).is_ok());
        remarks.note(EntryKind::Group, &group(Some("3")));
        assert!(remarks.are_purposes_known(&some).is_ok());
    }
}
