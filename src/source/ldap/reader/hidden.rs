//! Whether lists name entries that the server hides.
//!
//! The sample access rules of 389 Directory Server show lists to everybody, and of people only those of the class posixAccount. That
//! is to be seen: it answers a look at somebody whom it hides with success and nothing, and not that there is no such object.

use crate::directory::EntryKind;
use crate::source::ldap::ask;
use crate::source::ldap::dialect::Dialect;
use crate::source::ldap::fetch::Named;
use crate::source::ldap::session::Session;
use crate::source::schema::Attributes;
use crate::words::count;

/// So many who are listed are looked at, and so many of one list.
const MOST: usize = 40;
const OF_A_LIST: usize = 2;

/// Some who are listed.
#[derive(Default)]
pub(super) struct Listed(Vec<String>);

impl Listed {
    /// Notes some whom an entry lists.
    pub(super) fn note(&mut self, kind: EntryKind, lists: &[&str], attributes: &Attributes) {
        if kind != EntryKind::Group || self.0.len() >= MOST {
            return;
        }
        let members = lists.iter().flat_map(|list| attributes.all(&list.to_lowercase()));
        let members = members.take(OF_A_LIST).filter_map(|dn| String::from_utf8(dn.to_vec()).ok());
        self.0.extend(members);
    }

    /// What to say if the server seems to hide some of them.
    pub(super) async fn notice<D: Dialect>(self, session: &mut Session<D>) -> Option<String> {
        if !session.facts.is_389() {
            return None;
        }
        let Self(listed) = self;
        let mut hidden = Vec::new();
        for dn in &listed {
            // What cannot be told does not fail the read.
            let said = ask::at(&mut session.connection, dn, &session.asking.attribute).await;
            if matches!(said, Ok(Named::Nothing)) {
                hidden.push(dn);
            }
        }
        let one = hidden.first()?;
        let (who, remedy) = match session.account() {
            Some(who) => (
                who,
                format!(
                    "(targetattr=\"*\")(version 3.0; acl \"rollcall\"; allow (read, search, compare) userdn=\"ldap:///{who}\";) as an \
                         aci of the base lets the account read everybody"
                ),
            ),
            None => (
                "anonymous readers",
                "name an account that may read everybody in credentialsSecretRef".to_owned(),
            ),
        };
        Some(format!(
            "of {} looked at, {} may be hidden from {who}, such as {one}: the server neither shows it nor says that it is gone. \
                 The sample access rules of 389 Directory Server show people of the class posixAccount alone; {remedy}",
            count(listed.len() as u64, "member of groups that was", "members of groups that were"),
            hidden.len(),
        ))
    }
}
