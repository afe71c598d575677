//! Content synchronization (RFC 4533, syncrepl): the server's own account of what changed since a cookie.

use ldap3::Scope;
use ldap3::controls::{
    ControlType, EntryState, RawControl, RefreshMode, SyncDone, SyncInfo, SyncRequest, SyncState,
    parse_syncinfo,
};
use uuid::Uuid;

use super::connection::{ANSWER, Connection};
use super::error;
use super::facts::{self, Facts};
use super::feed::Changes;
use crate::directory::Anchor;
use crate::source::{Reason, SourceError};

/// Entries are known by this attribute.
pub(super) const ANCHOR: &str = "entryUUID";

const SYNC_REQUEST: &str = "1.3.6.1.4.1.4203.1.9.1.1";

/// Whether the server offers it.
pub(super) fn is_offered(facts: &Facts) -> bool {
    facts.has("supportedcontrol", SYNC_REQUEST)
}

/// The cookie of now, as OpenLDAP makes it of how far the database is; `None` if that is not to be seen.
pub(super) async fn place(
    connection: &mut Connection,
    context: &str,
) -> Result<Option<Vec<u8>>, SourceError> {
    let base = facts::one(connection, context, "(objectClass=*)", Scope::Base, &["contextCSN"]).await;
    let base = match base {
        Ok(base) => base,
        Err(error) if matches!(error.reason, Reason::AccessDenied | Reason::NotFound) => None,
        Err(error) => return Err(error),
    };
    let stated = base.iter().flat_map(|base| base.values("contextcsn"));
    let stated: Vec<&str> = stated.filter_map(|csn| std::str::from_utf8(csn).ok()).collect();
    Ok((!stated.is_empty()).then(|| format!("rid=000,csn={}", stated.join(";")).into_bytes()))
}

/// What changed since the cookie; `None` if the server does not tell that any more.
pub(super) async fn changes(
    connection: &mut Connection,
    context: &str,
    cookie: &[u8],
) -> Result<Option<Changes>, SourceError> {
    let Connection { ldap, driver, url, .. } = connection;
    let mut changes = Changes { place: cookie.to_vec(), ..Changes::default() };
    let request = SyncRequest {
        mode: RefreshMode::RefreshOnly,
        cookie: Some(cookie.to_vec()),
        // Rather an error than everything: that is read in pages, with what is wanted of it.
        reload_hint: false,
    };
    let request = RawControl { crit: true, ..request.into() };
    ldap.with_timeout(ANSWER).with_controls(request);
    let lost = |error: &ldap3::LdapError, came: usize| error::lost(url, error, came as u64);
    let search = ldap.streaming_search(context, Scope::Subtree, "(objectClass=*)", vec!["1.1"]);
    let mut stream = driver.run(search).await.map_err(|error| lost(&error, 0))?;
    loop {
        let next = driver.run(stream.next()).await;
        let Some(message) = next.map_err(|error| lost(&error, changes.touched.len()))? else { break };
        if message.is_intermediate() {
            if let SyncInfo::SyncIdSet { refresh_deletes: true, sync_uuids, .. } = parse_syncinfo(message) {
                changes.deleted.extend(sync_uuids.iter().filter_map(|id| anchor(id)));
            }
            continue;
        }
        let state = message.1.iter().find(|control| matches!(control.0, Some(ControlType::SyncState)));
        let Some(SyncState { state, entry_uuid, .. }) = state.map(|state| state.1.parse()) else { continue };
        match (state, anchor(&entry_uuid)) {
            (EntryState::Delete, Some(anchor)) => drop(changes.deleted.insert(anchor)),
            (EntryState::Add | EntryState::Modify, Some(anchor)) => drop(changes.touched.insert(anchor)),
            (EntryState::Present, _) | (_, None) => {}
        }
    }
    let result = stream.finish().await;
    let done = result.ctrls.iter().find(|control| matches!(control.0, Some(ControlType::SyncDone)));
    // A cookie that is too old, or of another server, a limit, a right that is missing, deletions that can only
    // be told from who is listed as present: everything is read.
    let (0, Some(done)) = (result.rc, done) else { return Ok(None) };
    let SyncDone { cookie, refresh_deletes } = done.1.parse();
    changes.place = cookie.unwrap_or(changes.place);
    Ok(refresh_deletes.then_some(changes))
}

fn anchor(id: &[u8]) -> Option<Anchor> {
    Some(Anchor::new(Uuid::from_slice(id).ok()?.hyphenated().to_string()))
}
