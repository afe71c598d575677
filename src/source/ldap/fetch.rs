//! Some entries, outside of a read.

use super::connection::Connection;
use super::decode::Raw;
use super::error;
use super::wire::limit::UNASKED;
use super::wire::{Control, Request, Response, Scope};
use crate::source::SourceError;
use crate::source::schema::Attributes;

/// The attributes of one entry, if there is one to be seen.
pub(super) async fn one(
    connection: &mut Connection,
    base: &str,
    filter: &str,
    scope: Scope,
    attributes: &[&str],
) -> Result<Option<Attributes>, SourceError> {
    one_with(connection, &[], base, filter, scope, attributes).await
}

/// The same, asked for with these controls.
pub(super) async fn one_with(
    connection: &mut Connection,
    controls: &[Control],
    base: &str,
    filter: &str,
    scope: Scope,
    attributes: &[&str],
) -> Result<Option<Attributes>, SourceError> {
    let found = some(connection, controls, (base, scope), filter, attributes, 1).await?;
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
