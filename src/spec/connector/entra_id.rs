//! Converts a tenant of Microsoft Entra ID.

use uuid::Uuid;

use super::field::{Resolving, given};
use crate::api;
use crate::api::connector::{EntraCredentials, EntraEndpoints, EntraId, WorkloadIdentity};
use crate::net::oauth::{ClusterToken, Credential, ServiceAccount};
use crate::source::SourceConfig;
use crate::source::graph::{Cloud, EntraConfig};
use crate::spec::object::is_dns_name;

/// Where Microsoft Entra Workload ID puts a pod's own token.
const FEDERATED_TOKEN: &str = "/var/run/secrets/azure/tokens/azure-identity-token";

impl Resolving<'_> {
    pub(super) fn entra_id(&mut self, tenant: &EntraId) -> Option<SourceConfig> {
        const AT: &str = "spec.entraId";
        let is_name = |sign: char| sign.is_ascii_alphanumeric() || "-.".contains(sign);
        if tenant.tenant_id.is_empty() || !tenant.tenant_id.chars().all(is_name) {
            self.problem(&format!("{AT}.tenantID"), "is neither a tenant's ID nor one of its domains");
        } else if ["common", "consumers", "organizations"]
            .iter()
            .any(|it| tenant.tenant_id.eq_ignore_ascii_case(it))
        {
            self.problem(&format!("{AT}.tenantID"), "must be one tenant: its ID, or one of its domains");
        }
        if tenant.client_id.len() != 36 || Uuid::try_parse(&tenant.client_id).is_err() {
            let why = "is no application (client) ID, such as 00000000-0000-0000-0000-000000000000";
            self.problem(&format!("{AT}.clientID"), why);
        }
        let endpoints = tenant.endpoints.clone().unwrap_or_default();
        self.places(AT, &[("authority", &endpoints.authority), ("graph", &endpoints.graph)]);
        let credential = self.entra_credential(tenant, &endpoints);
        let ca_pem = self.trusted(AT, &tenant.tls);
        Some(SourceConfig::EntraId(EntraConfig {
            tenant: tenant.tenant_id.to_lowercase(),
            client: tenant.client_id.to_lowercase(),
            cloud: cloud(tenant.cloud),
            credential: credential?,
            authority: given(&endpoints.authority),
            graph: given(&endpoints.graph),
            ca_pem,
            contacts: tenant.contacts == api::contacts::Contacts::Include,
            literal: self.literal.clone(),
        }))
    }

    fn entra_credential(&mut self, tenant: &EntraId, endpoints: &EntraEndpoints) -> Option<Credential> {
        const AT: &str = "spec.entraId.credentials";
        let EntraCredentials { client_secret_ref, certificate_secret_ref, workload_identity } =
            &tenant.credentials;
        match (client_secret_ref, certificate_secret_ref, workload_identity) {
            (Some(reference), None, None) => {
                let secret = self.objects.client_secret(self.name, reference);
                self.followed(&format!("{AT}.clientSecretRef"), Some(secret)).map(Credential::Secret)
            }
            (None, Some(reference), None) => {
                let signer = self.objects.signer(self.name, reference);
                self.followed(&format!("{AT}.certificateSecretRef"), Some(signer))
                    .map(Credential::Certificate)
            }
            (None, None, Some(identity)) => {
                if !endpoints.authority.is_empty() {
                    let why = "a service account's token goes to the cloud's own authority alone; leave out endpoints.authority, \
                               or use another credential";
                    self.problem(AT, why);
                }
                Some(Credential::Federated(self.cluster_token(identity, cloud(tenant.cloud))))
            }
            _ => {
                let why =
                    "name exactly one credential: clientSecretRef, certificateSecretRef or workloadIdentity";
                self.problem(AT, why);
                None
            }
        }
    }
    /// The token of a service account, for the cloud's authority.
    fn cluster_token(&mut self, identity: &WorkloadIdentity, cloud: Cloud) -> ClusterToken {
        let name = &identity.service_account_name;
        if name.is_empty() {
            return ClusterToken::File(FEDERATED_TOKEN.into());
        }
        if !is_dns_name(name) {
            let why = format!("{name:?} is no name of a service account");
            self.problem("spec.entraId.credentials.workloadIdentity.serviceAccountName", &why);
        }
        ClusterToken::Account(Box::new(ServiceAccount {
            namespace: self.name.namespace.clone(),
            name: name.clone(),
            audience: cloud.token_exchange().to_owned(),
            issuer: self.objects.issuer.clone(),
        }))
    }
}

fn cloud(cloud: api::connector::Cloud) -> Cloud {
    match cloud {
        api::connector::Cloud::Public => Cloud::Public,
        api::connector::Cloud::UsGovGccHigh => Cloud::UsGovGccHigh,
        api::connector::Cloud::UsGovDoD => Cloud::UsGovDoD,
        api::connector::Cloud::China => Cloud::China,
    }
}
