//! The server that is read: the first that answers and holds what the others do.

use super::config::LdapConfig;
use super::connection::{Connection, Server};
use super::root_dse::{RootDse, is_openldap};
use super::sync_repl;
use crate::source::{Reason, SourceError};

/// Connects to the first server that answers and holds what the others do, and hears what it says of itself. `behind` says
/// why one does not.
pub(super) async fn connect(
    config: &LdapConfig,
    servers: &[Server],
    behind: impl Fn(&RootDse) -> Option<&'static str>,
) -> Result<(Connection, RootDse), SourceError> {
    let (mut skipped, mut left) = (Vec::new(), servers);
    loop {
        let mut connection = match Connection::open(config, left).await {
            Err(error) if !skipped.is_empty() => {
                skipped.push(error.message);
                return Err(SourceError::new(error.reason, skipped.join("; ")));
            }
            opened => opened?,
        };
        skipped.append(&mut connection.skipped);
        let mut facts = RootDse::read(&mut connection).await?;
        if facts.vendor.as_deref().is_some_and(is_openldap) {
            facts.progress = sync_repl::progress(&mut connection, config, &facts).await?;
        }
        let Some(why) = behind(&facts) else {
            connection.skipped = skipped;
            return Ok((connection, facts));
        };
        skipped.push(format!("{} is not read: {why}", connection.url));
        let tried = left.iter().position(|server| server.url == connection.url).unwrap_or(left.len() - 1);
        left = &left[tried + 1..];
        if left.is_empty() {
            return Err(SourceError::new(Reason::Unreachable, skipped.join("; ")));
        }
    }
}
