//! Content synchronization (RFC 4533, syncrepl): the server reports what changed since a cookie.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::base::{bases, contexts};
use super::config::LdapConfig;
use super::connection::Connection;
use super::feed::Changes;
use super::fetch;
use super::progress::Progress;
use super::root_dse::RootDse;
use super::wire::ber::{self, BOOLEAN, ENUMERATED, Elements, Malformed, OCTETS, SEQUENCE, SET};
use super::wire::limit::CHANGES;
use super::wire::{Control, Request, Response, Scope};
use crate::directory::Anchor;
use crate::source::{Reason, SourceError};

/// Entries are known by this attribute.
pub(super) const ANCHOR: &str = "entryUUID";

const SYNC_REQUEST: &str = "1.3.6.1.4.1.4203.1.9.1.1";
const SYNC_STATE: &str = "1.3.6.1.4.1.4203.1.9.1.2";
const SYNC_DONE: &str = "1.3.6.1.4.1.4203.1.9.1.3";
const SYNC_INFO: &str = "1.3.6.1.4.1.4203.1.9.1.4";

/// How the entry of an answer stands to the cookie.
const ADD: i32 = 1;
const MODIFY: i32 = 2;
const DELETE: i32 = 3;

/// Whether the server offers it.
pub(super) fn is_offered(facts: &RootDse) -> bool {
    facts.has("supportedcontrol", SYNC_REQUEST)
}

/// The current cookie, which OpenLDAP derives from the progress of the database; `None` if that is not visible.
pub(super) async fn place(
    connection: &mut Connection,
    context: &str,
) -> Result<Option<Vec<u8>>, SourceError> {
    let stated = context_csn(connection, context).await?;
    Ok((!stated.is_empty()).then(|| format!("rid=000,csn={}", stated.join(";")).into_bytes()))
}

/// How far the server's copy is of what is read, as far as that is to be seen.
pub(super) async fn progress(
    connection: &mut Connection,
    config: &LdapConfig,
    facts: &RootDse,
) -> Result<Progress, SourceError> {
    let mut progress = Progress::default();
    let bases = bases(&config.base_dns, facts).unwrap_or_default();
    for context in contexts(&bases, facts) {
        for number in context_csn(connection, &context).await? {
            progress.note(&context.to_lowercase(), &number);
        }
    }
    Ok(progress)
}

/// The last change that each server has told of, if that is to be seen.
async fn context_csn(connection: &mut Connection, context: &str) -> Result<Vec<String>, SourceError> {
    let base = fetch::one(connection, context, "(objectClass=*)", Scope::Base, &["contextCSN"]).await;
    let base = match base {
        Ok(base) => base,
        Err(error) if matches!(error.reason, Reason::AccessDenied | Reason::NotFound) => None,
        Err(error) => return Err(error),
    };
    let stated = base.iter().flat_map(|base| base.values("contextcsn"));
    Ok(stated.filter_map(|csn| String::from_utf8(csn.to_vec()).ok()).collect())
}

/// The changes since the cookie; `None` if the server can no longer report them.
pub(super) async fn changes(
    connection: &mut Connection,
    context: &str,
    cookie: &[u8],
) -> Result<Option<Changes>, SourceError> {
    let mut changes = Changes { place: cookie.to_vec(), ..Changes::default() };
    let attributes = ["1.1".to_owned()];
    let search = Request::Search {
        base: context,
        scope: Scope::Subtree,
        filter: "(objectClass=*)",
        attributes: &attributes,
        at_most: 0,
    };
    connection.ask(search, &[request(cookie)], 0).await?;
    // What of it cannot be understood is not guessed: then everything is read.
    let mut understood = true;
    let (result, controls) = loop {
        let (response, controls) = connection.hear(changes.touched.len() as u64).await?;
        match response {
            Response::Intermediate(name, value) if name.as_deref().is_none_or(|name| name == SYNC_INFO) => {
                understood &= deleted(&value, &mut changes.deleted).is_ok();
            }
            Response::Entry(_) => match value(&controls, SYNC_STATE).map(state) {
                Some(Ok((state, id))) => match (state, anchor(&id)) {
                    (DELETE, Some(anchor)) => drop(changes.deleted.insert(anchor)),
                    (ADD | MODIFY, Some(anchor)) => drop(changes.touched.insert(anchor)),
                    // Who is not listed as present is gone, which only reading everything tells.
                    _ => understood = false,
                },
                // An entry of which is not said whose it is may be anybody's.
                Some(Err(_)) | None => understood = false,
            },
            Response::SearchDone(result) => break (result, controls),
            _ => {}
        }
        if !understood || changes.touched.len() > CHANGES || changes.deleted.len() > CHANGES {
            // Everything is read: what else comes need not be kept.
            understood = false;
            changes = Changes { place: std::mem::take(&mut changes.place), ..Changes::default() };
        }
    };
    // A cookie that is too old, or of another server, a limit, a right that is missing, deletions that can only
    // be told from who is listed as present: everything is read.
    let (0, true, Some(Ok((cookie, refresh_deletes)))) =
        (result.code, understood, value(&controls, SYNC_DONE).map(done))
    else {
        return Ok(None);
    };
    changes.place = cookie.unwrap_or(changes.place);
    Ok(refresh_deletes.then_some(changes))
}

/// `SEQUENCE { mode, cookie }`, without the hint that everything may come instead: rather an error than that. It is read in
/// pages, with what is wanted of it.
fn request(cookie: &[u8]) -> Control {
    const REFRESH_ONLY: u32 = 1;
    let value = [ber::natural(ENUMERATED, REFRESH_ONLY), ber::element(OCTETS, cookie)].concat();
    Control { oid: SYNC_REQUEST.to_owned(), critical: true, value: Some(ber::element(SEQUENCE, &value)) }
}

fn value<'c>(controls: &'c [Control], oid: &str) -> Option<&'c [u8]> {
    controls.iter().find(|control| control.oid == oid)?.value.as_deref()
}

/// `SEQUENCE { state, entryUUID, cookie }`: how the entry stands, and its id.
fn state(value: &[u8]) -> Result<(i32, Vec<u8>), Malformed> {
    let mut parts = Elements::within(SEQUENCE, value)?;
    let state = ber::number(parts.expect(ENUMERATED)?)?;
    Ok((state, parts.expect(OCTETS)?.to_vec()))
}

/// `SEQUENCE { cookie, refreshDeletes }`: where to go on, and whether all deletions were told.
fn done(value: &[u8]) -> Result<(Option<Vec<u8>>, bool), Malformed> {
    let mut parts = Elements::within(SEQUENCE, value)?;
    let cookie = parts.optional(OCTETS)?.map(<[u8]>::to_vec);
    let refresh_deletes = parts.optional(BOOLEAN)?.map(ber::boolean).transpose()?.unwrap_or_default();
    parts.end()?;
    Ok((cookie, refresh_deletes))
}

/// Adds the ids of a message that lists deleted entries; none of any other.
fn deleted(value: &[u8], to: &mut BTreeSet<Anchor>) -> Result<(), Malformed> {
    const ID_SET: u8 = 0xa3;
    let mut whole = Elements::of(value);
    let Some((ID_SET, content)) = whole.next()? else { return Ok(()) };
    let mut parts = Elements::of(content);
    let _cookie = parts.optional(OCTETS)?;
    let are_deleted = parts.optional(BOOLEAN)?.map(ber::boolean).transpose()?.unwrap_or_default();
    let mut set = Elements::of(parts.expect(SET)?);
    while let Some((tag, id)) = set.next()? {
        let id = Some(id).filter(|_| tag == OCTETS).and_then(anchor);
        let id = id.ok_or(Malformed("an id that is not valid"))?;
        if are_deleted && to.insert(id) && to.len() > CHANGES {
            return Err(Malformed("more deleted entries than are counted"));
        }
    }
    Ok(())
}

fn anchor(id: &[u8]) -> Option<Anchor> {
    Some(Anchor::new(Uuid::from_slice(id).ok()?.hyphenated().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_as_the_standard_says() {
        assert_eq!(request(b"ab").value.unwrap(), b"\x30\x07\x0a\x01\x01\x04\x02ab");
    }

    #[test]
    fn hears_what_changed_and_guesses_nothing() {
        assert_eq!(state(b"\x30\x06\x0a\x01\x03\x04\x01i"), Ok((DELETE, b"i".to_vec())));
        assert_eq!(state(b"\x30\x09\x0a\x01\x01\x04\x01i\x04\x01c"), Ok((ADD, b"i".to_vec())));
        assert!(state(b"\x30\x03\x0a\x01\x01").is_err() && state(b"").is_err());
        assert_eq!(done(b"\x30\x06\x04\x01c\x01\x01\xff"), Ok((Some(b"c".to_vec()), true)));
        assert_eq!(done(b"\x30\x00"), Ok((None, false)));
        assert!(done(b"\x30\x04\x01\x02\x00\xff").is_err());
        let listed = |flag: &[u8], id: &[u8]| {
            let set = ber::element(SET, &ber::element(OCTETS, id));
            heard(&ber::element(0xa3, &[flag, &set].concat()))
        };
        assert_eq!(listed(b"\x01\x01\xff", &[7; 16]), Ok(1));
        assert_eq!(listed(b"", &[7; 16]), Ok(0), "they are present");
        assert_eq!(heard(b"\x80\x01c"), Ok(0), "a cookie");
        assert!(listed(b"\x01\x01\xff", b"i").is_err() && heard(b"\xa3\x02\x31\x05").is_err());
    }

    /// How many are deleted by a message.
    fn heard(message: &[u8]) -> Result<usize, Malformed> {
        let mut all = BTreeSet::new();
        deleted(message, &mut all).map(|()| all.len())
    }

    #[test]
    fn so_many_deletions_are_counted_and_no_more() {
        let listed = |count: usize| {
            let ids = (0..count as u128).flat_map(|id| ber::element(OCTETS, &id.to_be_bytes()));
            let set = ber::element(SET, &ids.collect::<Vec<u8>>());
            heard(&ber::element(0xa3, &[b"\x01\x01\xff", set.as_slice()].concat()))
        };
        assert_eq!(listed(CHANGES), Ok(CHANGES));
        assert!(listed(CHANGES + 1).is_err());
    }
}
