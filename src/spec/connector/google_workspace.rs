//! Converts a customer of Google Workspace.

use super::field::{Resolving, given};
use crate::api::connector::{GoogleCredentials, GoogleEndpoints, GoogleWorkspace};
use crate::net::oauth::{Account, Keyless, Signing};
use crate::source::SourceConfig;
use crate::source::google::{Endpoints, GoogleConfig, Whose};

/// Where the pod's own token for Google is.
const TOKEN: &str = "/var/run/secrets/google/tokens/google-identity-token";
/// Google's token exchange: the pod's token goes nowhere else.
const STS: &str = "https://sts.googleapis.com/v1/token";
/// Where Google's IAM signs.
const IAM: &str = "https://iamcredentials.googleapis.com";

impl Resolving<'_> {
    pub(super) fn google_workspace(&mut self, customer: &GoogleWorkspace) -> Option<SourceConfig> {
        const AT: &str = "spec.googleWorkspace";
        let whose = match (given(&customer.customer), given(&customer.domain)) {
            (customer, None) => Whose::Customer(customer.unwrap_or_else(|| Whose::MINE.to_owned())),
            (None, Some(domain)) => Whose::Domain(domain.to_lowercase()),
            (Some(_), Some(_)) => {
                self.problem(AT, "name a customer or a domain, and not both");
                Whose::Customer(Whose::MINE.to_owned())
            }
        };
        let is_name = |sign: char| sign.is_ascii_alphanumeric() || "_-".contains(sign);
        if !customer.customer.chars().all(is_name) {
            let why = "is no customer's ID, such as C01abc234, and not my_customer; name a domain in domain";
            self.problem(&format!("{AT}.customer"), why);
        }
        if !customer.domain.chars().all(|sign| is_name(sign) || sign == '.') {
            self.problem(&format!("{AT}.domain"), "is no DNS domain name, such as corp.example");
        }
        if !is_address(&customer.admin_email) {
            let why = "is no address of an administrator, such as directory-reader@corp.example";
            self.problem(&format!("{AT}.adminEmail"), why);
        }
        let per_minute = customer.requests_per_minute;
        if per_minute < 60 {
            self.problem(
                &format!("{AT}.requestsPerMinute"),
                "is too few to read a directory; use 60 or more",
            );
        }
        let endpoints = customer.endpoints.clone().unwrap_or_default();
        let GoogleEndpoints { directory, token } = &endpoints;
        self.places(AT, &[("directory", directory), ("token", token)]);
        let account = self.google_account(customer);
        let ca_pem = self.trusted(AT, &customer.tls);
        let (account, signing) = account?;
        Some(SourceConfig::GoogleWorkspace(GoogleConfig {
            whose,
            admin: customer.admin_email.clone(),
            account,
            credential: Account { subject: customer.admin_email.clone(), signing },
            per_minute,
            endpoints: self::endpoints(&endpoints),
            ca_pem,
            literal: self.literal.clone(),
        }))
    }

    /// The service account, and who signs for it.
    fn google_account(&mut self, customer: &GoogleWorkspace) -> Option<(String, Signing)> {
        const AT: &str = "spec.googleWorkspace.credentials";
        let GoogleCredentials { service_account_key_ref, workload_identity } = &customer.credentials;
        match (service_account_key_ref, workload_identity) {
            (Some(reference), None) => {
                let key = self.objects.account_key(self.name, reference);
                let key = self.followed(&format!("{AT}.serviceAccountKeyRef"), Some(key))?;
                Some((key.email.clone(), Signing::Key(key)))
            }
            (None, Some(identity)) => {
                if customer.endpoints.is_some() {
                    let why = "what the pod's token brings goes to Google's own hosts alone; leave out endpoints, or use another \
                               credential";
                    self.problem(AT, why);
                }
                let parts: Vec<&str> = identity.provider.split('/').collect();
                let is_provider = matches!(
                    parts.as_slice(),
                    ["projects", _, "locations", _, "workloadIdentityPools", _, "providers", _]
                );
                let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "/-".contains(sign);
                if !is_provider || !identity.provider.chars().all(is_plain) {
                    let why = "is no provider of a workload identity pool, such as \
                               projects/123456789/locations/global/workloadIdentityPools/clusters/providers/corp";
                    self.problem(&format!("{AT}.workloadIdentity.provider"), why);
                }
                let email = &identity.service_account_email;
                let is_plain = |sign: char| sign.is_ascii_alphanumeric() || ".-@".contains(sign);
                if !is_address(email) || !email.chars().all(is_plain) {
                    let why = "is no service account, such as reader@project.iam.gserviceaccount.com";
                    self.problem(&format!("{AT}.workloadIdentity.serviceAccountEmail"), why);
                }
                let (sts, iam) = (STS.parse().ok()?, IAM.parse().ok()?);
                let provider = identity.provider.clone();
                let keyless = Keyless { provider, pod_token: TOKEN.into(), sts, iam };
                Some((email.clone(), Signing::Keyless(keyless)))
            }
            _ => {
                self.problem(AT, "name exactly one credential: serviceAccountKeyRef or workloadIdentity");
                None
            }
        }
    }
}

/// Hosts in place of Google's own.
pub(super) fn endpoints(endpoints: &GoogleEndpoints) -> Endpoints {
    let GoogleEndpoints { directory, token } = endpoints;
    Endpoints { directory: given(directory), token: given(token) }
}

fn is_address(text: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "@/".contains(c));
    text.split_once('@').is_some_and(|(local, host)| is_part(local) && is_part(host))
}
