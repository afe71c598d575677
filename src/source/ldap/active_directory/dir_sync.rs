//! `DirSync` (MS-ADTS 3.1.1.3.4.1.3): the domain controller reports what changed since a cookie.

use super::control::show_deleted;
use super::dialect::ActiveDirectory;
use crate::source::SourceError;
use crate::source::ldap::feed::{Changes, FeedKind};
use crate::source::ldap::search::{Query, Search, SearchItem};
use crate::source::ldap::session::Session;
use crate::source::ldap::wire::Control;
use crate::source::ldap::wire::ber::{BOOLEAN, Elements, INTEGER, OCTETS, SEQUENCE, element};
use crate::source::schema::active_directory::name::Extended;
use crate::source::schema::active_directory::{self as schema, is_deleted};

const DIR_SYNC: &str = "1.2.840.113556.1.4.841";
/// The account's own rights decide what is told, and no other right is needed.
const AS_SEEN: u8 = 1;
/// Codes that refuse the request: `operationsError`, `protocolError` (a cookie that it does not know),
/// `unavailableCriticalExtension`, `insufficientAccessRights`, `unwillingToPerform`.
const REFUSALS: &[u32] = &[1, 2, 12, 50, 53];
/// Matches nothing: for a cookie alone.
const NOTHING: &str = "(!(objectClass=*))";
const EVERYTHING: &str = "(objectClass=*)";

/// The cookie of now; `None` if the account may not have one.
pub(super) async fn place(
    session: &mut Session<ActiveDirectory>,
    context: &str,
    kind: FeedKind,
) -> Result<Option<Vec<u8>>, SourceError> {
    let changes = run(session, context, NOTHING, kind, Vec::new()).await?;
    Ok(changes.map(|changes| changes.place).filter(|place| !place.is_empty()))
}

/// What changed since the cookie; `None` if the domain controller does not take it any more, or tells of one who is
/// back from among the deleted, but not of the groups.
pub(super) async fn changes(
    session: &mut Session<ActiveDirectory>,
    context: &str,
    kind: FeedKind,
    cookie: Vec<u8>,
) -> Result<Option<Changes>, SourceError> {
    run(session, context, EVERYTHING, kind, cookie).await
}

async fn run(
    session: &mut Session<ActiveDirectory>,
    context: &str,
    filter: &str,
    kind: FeedKind,
    mut cookie: Vec<u8>,
) -> Result<Option<Changes>, SourceError> {
    let mut attributes = session.dialect.schema.attributes();
    attributes.extend(["name", "parentGUID", "isDeleted"].map(str::to_owned));
    let mut changes = Changes::default();
    let mut restored = false;
    loop {
        let mut controls = show_deleted();
        controls.push(request(kind, &cookie));
        let (base, filter, attributes) = (context.to_owned(), filter.to_owned(), attributes.clone());
        let query = Query { base, filter, attributes, controls, ..Query::default() };
        let mut search = Search::new(&mut session.connection, query);
        loop {
            match search.next(changes.touched.len() as u64).await {
                Ok(Some(SearchItem::Entry(raw))) => {
                    // One that does not say whose it is may be anybody's.
                    let Some(anchor) = schema::anchor(&raw.attributes) else { return Ok(None) };
                    if is_deleted(&raw.attributes) {
                        changes.touched.remove(&anchor);
                        changes.deleted.insert(anchor);
                        continue;
                    }
                    // Of what the account may not see it is told the id at most: deleted or hidden is not said.
                    if Extended::of(&raw.dn).dn.is_empty() {
                        changes.touched.insert(anchor);
                        continue;
                    }
                    // What was taken away comes without values.
                    restored |= raw.attributes.has("isdeleted")
                        && raw.attributes.values("isdeleted").next().is_none();
                    // Only what changed comes: a new entry comes with its class, one with a new name without.
                    let renamed = raw.attributes.has("name") && !raw.attributes.has("objectclass");
                    if renamed {
                        changes.renamed.insert(anchor.clone());
                    }
                    changes.deleted.remove(&anchor);
                    changes.touched.insert(anchor);
                }
                Ok(Some(SearchItem::Unintelligible(_))) => return Ok(None),
                Ok(Some(SearchItem::Reference(_))) => {}
                Ok(None) => break,
                // No right, not this cookie, not this way: then another way.
                Err(_) if search.code.is_some_and(|code| REFUSALS.contains(&code)) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        let answer = search.ended.iter().find(|control| control.oid == DIR_SYNC);
        let Some((more, next)) = answer.and_then(|control| response(control.value.as_deref()?)) else {
            return Ok(None);
        };
        changes.place.clone_from(&next);
        // A server that says that there is more and gives the same cookie would be asked for ever.
        if !more {
            return Ok((!restored).then_some(changes));
        }
        if next == cookie {
            return Ok(None);
        }
        cookie = next;
    }
}

/// `SEQUENCE { flags, maxBytes, cookie }`.
fn request(kind: FeedKind, cookie: &[u8]) -> Control {
    let flags = if kind == FeedKind::DirSyncAsSeen { AS_SEEN } else { 0 };
    let parts = [element(INTEGER, &[flags]), element(INTEGER, &[0]), element(OCTETS, cookie)].concat();
    Control { oid: DIR_SYNC.to_owned(), critical: true, value: Some(element(SEQUENCE, &parts)) }
}

/// `SEQUENCE { more, unused, cookie }`: whether there is more, and the cookie.
fn response(value: &[u8]) -> Option<(bool, Vec<u8>)> {
    let mut parts = Elements::within(SEQUENCE, value).ok()?;
    let (tag, more) = parts.next().ok()??;
    parts.expect(INTEGER).ok()?;
    let cookie = parts.expect(OCTETS).ok()?.to_vec();
    matches!(tag, INTEGER | BOOLEAN).then(|| (more.iter().any(|byte| *byte != 0), cookie))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_as_the_standard_says() {
        let value = request(FeedKind::DirSyncAsSeen, b"ab").value.unwrap();
        assert_eq!(value, b"\x30\x0a\x02\x01\x01\x02\x01\x00\x04\x02ab");
        let long = request(FeedKind::DirSync, &[7; 300]).value.unwrap();
        assert_eq!(long[..14], *b"\x30\x82\x01\x36\x02\x01\x00\x02\x01\x00\x04\x82\x01\x2c");
    }

    #[test]
    fn hears_whether_there_is_more() {
        assert_eq!(response(b"\x30\x08\x02\x01\x01\x02\x01\x00\x04\x00"), Some((true, Vec::new())));
        assert_eq!(response(b"\x30\x0a\x02\x01\x00\x02\x01\x00\x04\x02ab"), Some((false, b"ab".to_vec())));
        assert_eq!(response(b"\x30\x03\x02\x01\x01"), None);
        assert_eq!(response(b"\x04\x00"), None);
    }
}
