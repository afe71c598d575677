//! Converts a directory that is read through a Sync Engine.

use super::field::{Resolving, given};
use crate::api;
use crate::api::connector::{ActiveDirectory, Ldap};
use crate::directory::ConnectorName;
use crate::source::SourceConfig;
use crate::source::engine::{EngineConfig, Engines};
use crate::source::ldap::ActiveDirectoryConfig;
use crate::spec::object::EngineAccess;
use crate::spec::reference::{PUBLIC_KEY, engine_secret};
use crate::wire::{self, ChangeFeed, Server};

impl Resolving<'_> {
    pub(super) fn domain_of_engine(&mut self, domain: &ActiveDirectory) -> Option<SourceConfig> {
        const AT: &str = "spec.activeDirectory";
        let ActiveDirectory { urls, dns_discovery, start_tls, insecure, credentials_secret_ref, tls, .. } =
            domain;
        let has_tls = tls.ca_ref.is_some() || !tls.server_name.is_empty();
        let is_here = !urls.is_empty() || dns_discovery.is_some() || *start_tls || *insecure;
        if is_here || has_tls || credentials_secret_ref.is_some() {
            let why = "with syncEngine the engine's own engine.yaml says where the directory is and who reads it; leave out urls, \
                       dnsDiscovery, startTLS, insecure, tls and credentialsSecretRef";
            self.problem(AT, why);
        }
        self.dns(&format!("{AT}.baseDNs"), &domain.base_dns);
        self.dns(&format!("{AT}.excludeDNs"), &domain.exclude_dns);
        let [user_filter, group_filter] = self.filters(AT, &domain.user_filter, &domain.group_filter);
        let directory = wire::Directory {
            server: Server::ActiveDirectory,
            base_dns: domain.base_dns.clone(),
            exclude_dns: domain.exclude_dns.clone(),
            user_filter,
            group_filter,
            change_feed: match domain.change_feed {
                api::connector::ChangeFeed::Auto => ChangeFeed::Auto,
                api::connector::ChangeFeed::DirSync => ChangeFeed::DirSync,
                api::connector::ChangeFeed::UsnChanged => ChangeFeed::UsnChanged,
                api::connector::ChangeFeed::FullRead => ChangeFeed::FullRead,
            },
            anchor: None,
            page_size: ActiveDirectoryConfig::PAGE_SIZE,
            literal: self.literal.clone(),
        };
        self.engine(AT, directory)
    }

    pub(super) fn server_of_engine(&mut self, ldap: &Ldap) -> Option<SourceConfig> {
        const AT: &str = "spec.ldap";
        let Ldap { urls, start_tls, insecure, credentials_secret_ref, tls, .. } = ldap;
        let has_tls = tls.ca_ref.is_some() || !tls.server_name.is_empty();
        if !urls.is_empty() || *start_tls || *insecure || has_tls || credentials_secret_ref.is_some() {
            let why = "with syncEngine the engine's own engine.yaml says where the directory is and who reads it; leave out urls, startTLS, \
                       insecure, tls and credentialsSecretRef";
            self.problem(AT, why);
        }
        self.dns(&format!("{AT}.baseDNs"), &ldap.base_dns);
        let [user_filter, group_filter] = self.filters(AT, &ldap.user_filter, &ldap.group_filter);
        self.lasting_attribute("spec.ldap.anchorAttribute", &ldap.anchor_attribute);
        self.disabled_when("spec.ldap.disabledWhen", &ldap.disabled_when);
        let directory = wire::Directory {
            server: Server::Ldap,
            base_dns: ldap.base_dns.clone(),
            exclude_dns: Vec::new(),
            user_filter,
            group_filter,
            change_feed: match ldap.change_feed {
                api::connector::LdapChangeFeed::Auto | api::connector::LdapChangeFeed::SyncRepl => {
                    ChangeFeed::Auto
                }
                api::connector::LdapChangeFeed::FullRead => ChangeFeed::FullRead,
            },
            anchor: given(&ldap.anchor_attribute),
            page_size: ldap.page_size,
            literal: self.literal.clone(),
        };
        self.engine(AT, directory)
    }

    fn engine(&mut self, at: &str, directory: wire::Directory) -> Option<SourceConfig> {
        let engines = match &self.objects.engines {
            EngineAccess::On(engines) => engines.clone(),
            EngineAccess::None => Engines::new().0,
            EngineAccess::Off => {
                let why = "the operator has no gateway for Sync Engines; set engineGateway.externalUrl of its chart \
                           (--gateway-external-url)";
                return self.fail(&format!("{at}.syncEngine"), why);
            }
        };
        let secret = self.objects.secrets.get(&self.name.beside(&engine_secret(&self.name.name, 1)));
        let key = secret.and_then(|data| data.get(PUBLIC_KEY));
        Some(SourceConfig::Engine(EngineConfig {
            connector: ConnectorName::new(&self.name.namespace, &self.name.name),
            engines,
            directory,
            key: key.map(|key| String::from_utf8_lossy(key.expose()).into_owned()).unwrap_or_default(),
        }))
    }
}
