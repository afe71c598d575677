//! Chooses the server that is read: the first that answers and is not behind the others.

use super::config::LdapConfig;
use super::connection::{Connection, Server};
use super::progress::Progress;
use super::root_dse::{RootDse, is_openldap};
use super::sync_repl;
use crate::source::{Reason, SourceError};

/// Connects to the first server that answers and holds what the others do, and hears what it says of itself. `heard` is
/// what was read before.
pub(super) async fn connect(
    config: &LdapConfig,
    servers: &[Server],
    heard: &Progress,
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
        let Some(why) = is_behind(&facts, heard) else {
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

/// Why a server is not believed that has less than the others: whoever joined is not there, and whoever was disabled is not.
fn is_behind(facts: &RootDse, heard: &Progress) -> Option<&'static str> {
    if !facts.is_active_directory() && facts.progress.is_behind(heard) {
        return Some(
            "it lacks changes that were read before (contextCSN): its replication is behind, it was restored \
             to an older state, or the account may no longer read contextCSN. Nothing was used. It is read \
             again as soon as it has caught up; if it was restored on purpose, change something on it",
        );
    }
    facts.text("issynchronized").is_some_and(|is| is.eq_ignore_ascii_case("FALSE")).then_some(
        "it says that it has not yet synchronized with the other domain controllers (isSynchronized FALSE); check its \
         replication with `repadmin /showrepl`, or name another one in urls",
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&[], false)]
    #[case(&["TRUE"], false)]
    #[case(&["FALSE"], true)]
    #[case(&["false"], true)]
    fn a_domain_controller_that_has_not_caught_up_is_not_believed(
        #[case] said: &[&str],
        #[case] behind: bool,
    ) {
        let mut facts = RootDse::default();
        facts.root.add("isSynchronized", said.iter().map(|value| value.as_bytes().to_vec()));
        assert_eq!(is_behind(&facts, &Progress::default()).is_some(), behind);
    }
}
