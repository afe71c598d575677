//! What the operator asks for, and what the engine's file says, as one configuration of a source.

use std::collections::BTreeSet;

use super::settings::{Credentials, Server, Settings, SettingsError, text};
use super::veto::Veto;
use crate::source::ldap::{ActiveDirectoryConfig, Bind, ChangeFeed, GenericConfig, LdapConfig, is_filter};
use crate::source::{Reason, SourceConfig, SourceError};
use crate::wire;

/// The directory that is asked for, with nothing in it that may not leave.
pub(super) fn config(
    settings: &Settings,
    veto: &Veto,
    asked: &wire::Directory,
) -> Result<SourceConfig, SourceError> {
    let (of, name) = match asked.server {
        wire::Server::ActiveDirectory => (&settings.directory.active_directory, "activeDirectory"),
        wire::Server::Ldap => (&settings.directory.ldap, "ldap"),
    };
    let of = of.as_ref().ok_or_else(|| {
        let why = format!(
            "the connector reads the kind {name}, and the engine's engine.yaml has another one under directory: both must be the same"
        );
        SourceError::new(Reason::InvalidData, why)
    })?;
    veto.check(asked).map_err(|why| SourceError::new(Reason::Withheld, why))?;
    for filter in asked.user_filter.iter().chain(&asked.group_filter) {
        if !is_filter(filter) {
            return Err(SourceError::new(Reason::InvalidData, "the connector's filter is none (RFC 4515)"));
        }
    }
    let literal = veto.literal(&asked.literal);
    let ldap = shared(of, asked, literal)
        .map_err(|error| SourceError::new(Reason::InvalidData, error.to_string()))?;
    let reads_all = veto.reads_all();
    Ok(match asked.server {
        wire::Server::ActiveDirectory => SourceConfig::ActiveDirectory(ActiveDirectoryConfig {
            ldap,
            discovery: None,
            change_feed: match asked.change_feed {
                _ if reads_all => ChangeFeed::FullRead,
                wire::ChangeFeed::Auto => ChangeFeed::Auto,
                wire::ChangeFeed::DirSync => ChangeFeed::DirSync,
                wire::ChangeFeed::UsnChanged => ChangeFeed::UsnChanged,
                wire::ChangeFeed::FullRead => ChangeFeed::FullRead,
            },
        }),
        wire::Server::Ldap => SourceConfig::Ldap(GenericConfig {
            ldap,
            anchor: asked.anchor.clone(),
            sync_repl: !reads_all && asked.change_feed != wire::ChangeFeed::FullRead,
        }),
    })
}

fn shared(
    of: &Server,
    asked: &wire::Directory,
    literal: BTreeSet<String>,
) -> Result<LdapConfig, SettingsError> {
    let bind = of.credentials.as_ref().map(Credentials::read).transpose()?;
    Ok(LdapConfig {
        urls: of.urls.clone(),
        start_tls: of.start_tls,
        insecure: of.insecure,
        ca_pem: of.tls.ca_file.as_deref().map(text).transpose()?,
        server_name: of.tls.server_name.clone(),
        bind: bind.map(|(dn, password)| Bind { dn, password }),
        base_dns: asked.base_dns.clone(),
        exclude_dns: asked.exclude_dns.clone(),
        user_filter: asked.user_filter.clone(),
        group_filter: asked.group_filter.clone(),
        literal,
        page_size: asked.page_size.clamp(1, 10_000),
    })
}
