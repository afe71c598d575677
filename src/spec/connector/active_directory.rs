//! Converts a domain of Active Directory.

use std::net::{IpAddr, SocketAddr};

use super::field::{Resolving, given};
use crate::api;
use crate::api::connector::{ActiveDirectory, DnsDiscovery};
use crate::source::SourceConfig;
use crate::source::ldap::{ActiveDirectoryConfig, ChangeFeed, Discovery, LdapConfig};

/// The port of name servers.
const DNS: u16 = 53;

impl Resolving<'_> {
    pub(super) fn active_directory(&mut self, domain: &ActiveDirectory) -> SourceConfig {
        const AT: &str = "spec.activeDirectory";
        let discovery = domain.dns_discovery.as_ref().map(|discovery| self.discovery(discovery));
        match (&domain.dns_discovery, domain.urls.is_empty()) {
            (None, true) | (Some(_), false) => {
                let why = "name domain controllers in urls, or their domain in dnsDiscovery, and not both";
                self.problem(AT, why);
            }
            (None, false) => self.urls(AT, &domain.urls, domain.start_tls, domain.insecure),
            (Some(_), true) if domain.insecure => {
                let why = "with dnsDiscovery the password would be sent unprotected to any server that DNS names: use \
                           startTLS: true, or neither";
                self.problem(AT, why);
            }
            (Some(_), true) => {}
        }
        for (at, url) in domain.urls.iter().enumerate() {
            if [":3268", ":3269"].iter().any(|port| url.trim_end_matches('/').ends_with(port)) {
                let why = format!(
                    "{url} is a global catalog, which has only a part of each entry; use ldaps:// without a port, or \
                     ldap:// with startTLS"
                );
                self.problem(&format!("{AT}.urls[{at}]"), &why);
            }
        }
        self.dns(&format!("{AT}.baseDNs"), &domain.base_dns);
        self.dns(&format!("{AT}.excludeDNs"), &domain.exclude_dns);
        let [user_filter, group_filter] = self.filters(AT, &domain.user_filter, &domain.group_filter);
        if domain.credentials_secret_ref.is_none() {
            self.problem(AT, "name the Secret of the account that reads in credentialsSecretRef");
        }
        let bind = domain.credentials_secret_ref.as_ref().map(|it| self.objects.credentials(self.name, it));
        let bind = self.followed(&format!("{AT}.credentialsSecretRef"), bind);
        let ca_pem = self.authority(AT, &domain.tls);
        let ldap = LdapConfig {
            urls: domain.urls.clone(),
            start_tls: domain.start_tls,
            insecure: domain.insecure,
            ca_pem,
            server_name: given(&domain.tls.server_name),
            bind,
            base_dns: domain.base_dns.clone(),
            exclude_dns: domain.exclude_dns.clone(),
            user_filter,
            group_filter,
            literal: self.literal.clone(),
            page_size: ActiveDirectoryConfig::PAGE_SIZE,
        };
        SourceConfig::ActiveDirectory(ActiveDirectoryConfig {
            ldap,
            discovery,
            change_feed: match domain.change_feed {
                api::connector::ChangeFeed::Auto => ChangeFeed::Auto,
                api::connector::ChangeFeed::DirSync => ChangeFeed::DirSync,
                api::connector::ChangeFeed::UsnChanged => ChangeFeed::UsnChanged,
                api::connector::ChangeFeed::FullRead => ChangeFeed::FullRead,
            },
        })
    }

    fn discovery(&mut self, discovery: &DnsDiscovery) -> Discovery {
        const AT: &str = "spec.activeDirectory.dnsDiscovery";
        let label = |label: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            (1..=63).contains(&label.len()) && label.chars().all(fits)
        };
        if !discovery.domain.split('.').all(label) {
            let why = format!("{:?} is not a DNS domain name, such as corp.example", discovery.domain);
            self.problem(&format!("{AT}.domain"), &why);
        }
        if !discovery.site.is_empty() && !label(&discovery.site) {
            self.problem(&format!("{AT}.site"), &format!("{:?} is not the name of a site", discovery.site));
        }
        let mut nameservers = Vec::new();
        for (number, text) in discovery.nameservers.iter().enumerate() {
            let address = text.parse::<IpAddr>().map(|address| SocketAddr::from((address, DNS)));
            if let Ok(address) = address.or_else(|_| text.parse()) {
                nameservers.push(address);
            } else {
                let why =
                    format!("{text:?} is not an address, such as 10.0.0.53, 10.0.0.53:53 or [fd00::53]:53");
                self.problem(&format!("{AT}.nameservers[{number}]"), &why);
            }
        }
        Discovery {
            domain: discovery.domain.clone(),
            site: given(&discovery.site),
            nameservers,
            who: self.name.to_string(),
        }
    }
}
