//! Reads groups that a domain controller sends in parts (`MaxValRange`, 1,500 members by default).

use super::control::controls;
use crate::directory::{Members, Reference};
use crate::source::ldap::connection::Connection;
use crate::source::ldap::decode::Raw;
use crate::source::ldap::fetch::{self, Named};
use crate::source::ldap::search::Query;
use crate::source::ldap::wire::limit::VALUES;
use crate::source::schema::active_directory as schema;
use crate::source::schema::active_directory::name::Extended;
use crate::source::{Reason, SourceError};

/// So often a group is begun anew that changes while it is read.
const ATTEMPTS: usize = 3;

/// How reading all parts of a group once ended.
enum Parts {
    /// All of them.
    All(Vec<Reference>),
    /// The group changed between two of them, so that they do not fit together.
    Changed,
    /// One of them cannot be had, for this reason.
    Broken(Vec<Reference>, String),
}

/// All members of the group `raw`. If not all parts can be read, the list is partial, which is no evidence that a
/// member left.
pub(super) async fn members(
    connection: &mut Connection,
    raw: &Raw,
    came: u64,
) -> Result<Members, SourceError> {
    for _ in 0..ATTEMPTS {
        match parts(connection, raw, came).await? {
            Parts::All(members) => return Ok(Members::Complete(members)),
            Parts::Broken(members, why) => return Ok(Members::Partial(members, why)),
            Parts::Changed => {}
        }
    }
    let why = format!("its members changed during the read, {ATTEMPTS} times");
    Ok(Members::Partial(Vec::new(), why))
}

async fn parts(connection: &mut Connection, raw: &Raw, came: u64) -> Result<Parts, SourceError> {
    let mut members = Vec::new();
    let mut from = 0;
    let mut version = None;
    loop {
        let Some(part) = part(connection, raw, from, came).await? else {
            return Ok(Parts::Broken(members, "it was deleted while its members were read".to_owned()));
        };
        // Each change of the members changes this number too (on this domain controller).
        let now = part.attributes.values("usnchanged").next().map(<[u8]>::to_vec);
        if *version.get_or_insert_with(|| now.clone()) != now {
            return Ok(Parts::Changed);
        }
        let Some((range, values)) = part.attributes.part("member", from) else {
            let why = format!("the server did not send its members from number {from} on");
            return Ok(Parts::Broken(members, why));
        };
        if members.len() + values.len() > VALUES {
            let why = format!("it has more than {VALUES} members, which is the maximum");
            return Ok(Parts::Broken(members, why));
        }
        match schema::references(values.iter().map(Vec::as_slice)) {
            Ok(references) => members.extend(references),
            Err(why) => return Ok(Parts::Broken(members, why)),
        }
        if range.last.is_some_and(|last| last >= from && last - from + 1 != values.len()) {
            let why =
                format!("the server sent fewer or more members from number {from} on than it announced");
            return Ok(Parts::Broken(members, why));
        }
        match range.last {
            // The last part says so with an asterisk, and in no other way.
            None => return Ok(Parts::All(members)),
            Some(last) if last < from => {
                return Ok(Parts::Broken(members, "the server sent its members out of order".to_owned()));
            }
            Some(last) => from = last + 1,
        }
    }
}

/// The members from number `from` on, as many as the server gives at once; `None` if the group is not there.
async fn part(
    connection: &mut Connection,
    raw: &Raw,
    from: usize,
    came: u64,
) -> Result<Option<Raw>, SourceError> {
    let Some(guid) = Extended::of(&raw.dn).guid else { return Ok(None) };
    let query = Query {
        base: format!("<GUID={guid}>"),
        filter: "(objectClass=*)".to_owned(),
        attributes: vec![format!("member;range={from}-*"), "uSNChanged".to_owned()],
        controls: controls(),
        ..Query::default()
    };
    match fetch::named(connection, query, came).await? {
        Named::Entry(part) => Ok(Some(part)),
        Named::Refused(error) if error.reason == Reason::AccessDenied => Err(error),
        Named::Nothing | Named::NoSuchObject | Named::Doubtful | Named::Refused(_) => Ok(None),
    }
}
