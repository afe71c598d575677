//! Small questions outside of a read: some entries, or the one with a DN.

use super::connection::Connection;
use super::decode::Raw;
use super::error;
use super::search::{Query, Search, SearchItem};
use super::wire::limit::UNASKED;
use super::wire::{Control, Request, Response, Scope};
use crate::source::schema::Attributes;
use crate::source::{Reason, SourceError};

/// The result code by which a server says that it has no such entry.
const NO_SUCH_OBJECT: u32 = 32;

/// The attributes of one entry, if there is one to be seen.
pub(super) async fn one(
    connection: &mut Connection,
    base: &str,
    filter: &str,
    scope: Scope,
    attributes: &[&str],
) -> Result<Option<Attributes>, SourceError> {
    let found = some(connection, &[], (base, scope), filter, attributes, 1).await?;
    Ok(found.into_iter().next().map(|raw| raw.attributes))
}

/// Some entries, whichever, as far as there are some to be seen. That there is none is no proof of anything.
pub(super) async fn some(
    connection: &mut Connection,
    controls: &[Control],
    (base, scope): (&str, Scope),
    filter: &str,
    attributes: &[&str],
    at_most: u32,
) -> Result<Vec<Raw>, SourceError> {
    let attributes: Vec<String> = attributes.iter().map(|name| (*name).to_owned()).collect();
    let search = Request::Search { base, scope, filter, attributes: &attributes, at_most };
    connection.ask(search, controls, 0).await?;
    let mut found = Vec::new();
    let mut others = 0;
    let result = loop {
        match connection.hear(0).await?.0 {
            Response::Entry(Some(entry)) if found.len() < at_most as usize => found.push(entry),
            // More than was asked for is not kept, and a server that does not come to an end is not heard any longer.
            Response::Entry(Some(_)) => return Ok(found),
            Response::SearchDone(result) => break result,
            _ if others == UNASKED => return Ok(found),
            _ => others += 1,
        }
    };
    // So many were asked for, so a size limit is as good as an end.
    if !matches!(result.code, 0 | 4) {
        return Err(error::searching(base, &result, 0));
    }
    Ok(found)
}

/// What a server says of the entry with one DN.
pub(super) enum Named {
    /// It is there, and matches.
    Entry(Raw),
    /// Nothing matches.
    Nothing,
    /// The server has no such entry.
    NoSuchObject,
    /// Something came that is no entry, so this may be anything.
    Doubtful,
    /// The server does not say: it is elsewhere, is no name, or may not be seen.
    Refused(SourceError),
}

/// Asks for the entry with the DN that the query has as its base. `came` is how many entries the whole read has brought, for
/// messages.
pub(super) async fn named(
    connection: &mut Connection,
    query: Query,
    came: u64,
) -> Result<Named, SourceError> {
    let query = Query { base_only: true, page_size: None, ..query };
    let mut search = Search::new(connection, query);
    let mut said = Named::Nothing;
    loop {
        match search.next(came).await {
            Ok(Some(SearchItem::Entry(raw))) if !matches!(said, Named::Doubtful) => said = Named::Entry(raw),
            Ok(Some(_)) => said = Named::Doubtful,
            Ok(None) => return Ok(said),
            Err(_) if search.code == Some(NO_SUCH_OBJECT) => return Ok(Named::NoSuchObject),
            Err(error) if matches!(error.reason, Reason::NotFound | Reason::AccessDenied) => {
                return Ok(Named::Refused(error));
            }
            Err(error) => return Err(error),
        }
    }
}
