//! Converts a Domino Directory.

use super::field::{Resolving, given};
use crate::api::connector::{Domino, DominoGroupType};
use crate::source::SourceConfig;
use crate::source::ldap::{DominoConfig, LdapConfig, PartNames, Purpose};

impl Resolving<'_> {
    pub(super) fn domino(&mut self, domino: &Domino) -> SourceConfig {
        const AT: &str = "spec.domino";
        self.urls(AT, &domino.urls, domino.start_tls, domino.insecure);
        self.dns(&format!("{AT}.baseDNs"), &domino.base_dns);
        let [user_filter, group_filter] = self.filters(AT, &domino.user_filter, &domino.group_filter);
        self.lasting_attribute(&format!("{AT}.anchorAttribute"), &domino.anchor_attribute);
        if domino.group_types.is_empty() {
            let why =
                "name at least one kind of group; leave it out to read all but DenyListOnly and ServersOnly";
            self.problem(&format!("{AT}.groupTypes"), why);
        }
        let split = given(&domino.split_groups).map(|text| PartNames::parse(&text));
        if matches!(split, Some(None)) {
            let why = "is no rule for the names of parts: write {name} and then {number}, once each, and beside them letters, \
                       digits, blanks and . _ ( ) -, such as \"{name} {number}\"";
            self.problem(&format!("{AT}.splitGroups"), why);
        }
        let bind = domino.credentials_secret_ref.as_ref().map(|it| self.objects.credentials(self.name, it));
        let bind = self.followed("spec.domino.credentialsSecretRef", bind);
        let ca_pem = self.authority(AT, &domino.tls);
        self.disabled_when("spec.domino.disabledWhen", &domino.disabled_when);
        let ldap = LdapConfig {
            urls: domino.urls.clone(),
            start_tls: domino.start_tls,
            insecure: domino.insecure,
            ca_pem,
            server_name: given(&domino.tls.server_name),
            bind,
            base_dns: domino.base_dns.clone(),
            exclude_dns: Vec::new(),
            user_filter,
            group_filter,
            literal: self.literal.clone(),
            page_size: DominoConfig::PAGE_SIZE,
        };
        let purpose = |kind: &DominoGroupType| match kind {
            DominoGroupType::MultiPurpose => Purpose::MultiPurpose,
            DominoGroupType::MailOnly => Purpose::MailOnly,
            DominoGroupType::AccessControlOnly => Purpose::AccessControlOnly,
            DominoGroupType::DenyListOnly => Purpose::DenyListOnly,
            DominoGroupType::ServersOnly => Purpose::ServersOnly,
        };
        SourceConfig::Domino(DominoConfig {
            ldap,
            anchor: given(&domino.anchor_attribute),
            purposes: domino.group_types.iter().map(purpose).collect(),
            split: split.flatten(),
        })
    }
}
