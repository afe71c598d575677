//! Converts an LDAPv3 server.

use super::field::{Resolving, given};
use crate::api;
use crate::api::connector::Ldap;
use crate::source::SourceConfig;
use crate::source::ldap::{GenericConfig, LdapConfig};

impl Resolving<'_> {
    pub(super) fn ldap(&mut self, ldap: &Ldap) -> SourceConfig {
        const AT: &str = "spec.ldap";
        self.urls(AT, &ldap.urls, ldap.start_tls, ldap.insecure);
        self.dns(&format!("{AT}.baseDNs"), &ldap.base_dns);
        let [user_filter, group_filter] = self.filters(AT, &ldap.user_filter, &ldap.group_filter);
        self.lasting_attribute("spec.ldap.anchorAttribute", &ldap.anchor_attribute);
        let bind = ldap.credentials_secret_ref.as_ref().map(|it| self.objects.credentials(self.name, it));
        let bind = self.followed("spec.ldap.credentialsSecretRef", bind);
        let ca_pem = self.authority(AT, &ldap.tls);
        self.disabled_when("spec.ldap.disabledWhen", &ldap.disabled_when);
        let shared = LdapConfig {
            urls: ldap.urls.clone(),
            start_tls: ldap.start_tls,
            insecure: ldap.insecure,
            ca_pem,
            server_name: given(&ldap.tls.server_name),
            bind,
            base_dns: ldap.base_dns.clone(),
            exclude_dns: Vec::new(),
            user_filter,
            group_filter,
            literal: self.literal.clone(),
            page_size: ldap.page_size,
        };
        SourceConfig::Ldap(GenericConfig {
            ldap: shared,
            anchor: given(&ldap.anchor_attribute),
            sync_repl: match ldap.change_feed {
                api::connector::LdapChangeFeed::Auto | api::connector::LdapChangeFeed::SyncRepl => true,
                api::connector::LdapChangeFeed::FullRead => false,
            },
        })
    }
}
