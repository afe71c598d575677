//! Converts a `DirectoryConnector` to the configuration of its source.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

use super::configuration::Connector;
use super::filter::joined;
use super::object::{Folder, Name, Objects};
use super::problem::Problem;
use crate::api;
use crate::api::DirectoryConnectorSpec;
use crate::api::connector::{
    ActiveDirectory, DnsDiscovery, EntraCredentials, EntraEndpoints, EntraId, GoogleCredentials,
    GoogleEndpoints, GoogleWorkspace, Ldap, Ldif, Tls, Trust,
};
use crate::directory::{ConnectorName, DirectoryId, Dn};
use crate::net::http;
use crate::net::oauth::{Account, Credential, Keyless, Signing};
use crate::source::SourceConfig;
use crate::source::google::{Endpoints, GoogleConfig, Whose};
use crate::source::graph::{self, Cloud, EntraConfig};
use crate::source::ldap::{self, ActiveDirectoryConfig, ChangeFeed, Discovery, GenericConfig, LdapConfig};
use crate::source::ldif::{Input, LdifConfig};
use crate::sync::expression::{Expression, Returns, Subject};

/// Where Microsoft Entra Workload ID puts a pod's own token.
const FEDERATED_TOKEN: &str = "/var/run/secrets/azure/tokens/azure-identity-token";
/// Where the pod's own token for Google is.
const GOOGLE_TOKEN: &str = "/var/run/secrets/google/tokens/google-identity-token";
/// Google's token exchange: the pod's token goes nowhere else.
const STS: &str = "https://sts.googleapis.com/v1/token";
/// Where Google's IAM signs.
const IAM: &str = "https://iamcredentials.googleapis.com";
/// The port of name servers.
const DNS: u16 = 53;
/// Directories are not read more often.
pub const SHORTEST_INTERVAL: Duration = Duration::from_secs(10);
/// Feeds are not checked more often.
const SHORTEST_CHECK: Duration = Duration::from_mins(1);
/// Nothing is tried again sooner.
pub(super) const SHORTEST_RETRY: Duration = Duration::from_secs(1);
/// Nothing can be done in less.
pub(super) const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);

/// The connector, if nothing is wrong with it. `literal` are the attributes that policies name.
pub(super) fn resolve(
    name: &Name,
    (spec, folder): &(DirectoryConnectorSpec, Folder),
    literal: BTreeSet<String>,
    objects: &Objects,
    problems: &mut Vec<Problem>,
) -> Option<Connector> {
    let mut of = Resolving { name, objects, literal, problems: Vec::new() };
    let DirectoryConnectorSpec { active_directory, entra_id, google_workspace, ldap, ldif, .. } = spec;
    let source = match (active_directory, entra_id, google_workspace, ldap, ldif) {
        (Some(domain), None, None, None, None) => Some(of.active_directory(domain)),
        (None, Some(tenant), None, None, None) => of.entra_id(tenant),
        (None, None, Some(customer), None, None) => of.google_workspace(customer),
        (None, None, None, Some(ldap), None) => Some(of.ldap(ldap)),
        (None, None, None, None, Some(ldif)) => of.ldif(ldif, folder),
        (None, None, None, None, None) => of.fail(
            "spec",
            "name a kind of directory: activeDirectory, entraId, googleWorkspace, ldap or ldif",
        ),
        _ => {
            let why = "names several kinds of directory, of activeDirectory, entraId, googleWorkspace, ldap and ldif; keep one of them";
            of.fail("spec", why)
        }
    };
    let interval = of.duration("spec.interval", &spec.interval);
    if interval.is_some_and(|interval| interval < SHORTEST_INTERVAL) {
        of.problem("spec.interval", "is too short to read a directory; use 10s or more");
    }
    let retry_interval = of.duration("spec.retryInterval", &spec.retry_interval);
    if retry_interval.is_some_and(|interval| interval < SHORTEST_RETRY) {
        of.problem("spec.retryInterval", "is too short; use 1s or more");
    }
    let timeout = of.duration("spec.timeout", &spec.timeout);
    if timeout.is_some_and(|timeout| timeout < SHORTEST_TIMEOUT) {
        of.problem("spec.timeout", "is too short; use 1s or more");
    }
    let full_read_every = of.duration("spec.fullReadEvery", &spec.full_read_every);
    if full_read_every.is_some_and(|every| every < SHORTEST_CHECK) {
        of.problem("spec.fullReadEvery", "is too short; use 1m or more");
    }
    let sound = of.problems.is_empty();
    problems.append(&mut of.problems);
    let connector = Connector {
        name: ConnectorName::new(&name.namespace, &name.name),
        source: source?,
        interval: interval?,
        retry_interval: retry_interval?,
        timeout: timeout?,
        full_read_every: full_read_every?,
        suspend: spec.suspend,
    };
    sound.then_some(connector)
}

/// The rule for disabled accounts, if the connector has one that compiles.
pub(super) fn disabled_when(spec: &DirectoryConnectorSpec) -> Option<Expression> {
    let text = match (&spec.ldap, &spec.ldif) {
        (Some(ldap), _) => &ldap.disabled_when,
        (_, Some(ldif)) => &ldif.disabled_when,
        (None, None) => return None,
    };
    Expression::compile(text, Subject::User, Returns::Bool).ok().filter(|_| !text.is_empty())
}

/// What to say of hosts that the spec names in place of the usual ones.
pub fn elsewhere(spec: &DirectoryConnectorSpec) -> Option<String> {
    if let Some(customer) = &spec.google_workspace {
        return google_endpoints(customer.endpoints.as_ref()?).elsewhere();
    }
    let endpoints = spec.entra_id.as_ref()?.endpoints.as_ref()?;
    graph::elsewhere(given(&endpoints.authority).as_deref(), given(&endpoints.graph).as_deref())
}

struct Resolving<'a> {
    name: &'a Name,
    objects: &'a Objects,
    literal: BTreeSet<String>,
    problems: Vec<Problem>,
}

impl Resolving<'_> {
    fn active_directory(&mut self, domain: &ActiveDirectory) -> SourceConfig {
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
        let bind = self.objects.credentials(self.name, &domain.credentials_secret_ref);
        let bind = self.followed(&format!("{AT}.credentialsSecretRef"), Some(bind));
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

    /// Entries are known and looked up by it, so it must be able to stand in a filter.
    fn anchor_attribute(&mut self, at: &str, name: &str) {
        let is_word =
            |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic()) && is_word(name);
        if !(name.is_empty() || is_name || name.split('.').all(is_number)) {
            let why = "it is not an attribute name: a letter, then letters, digits, - and _, without options \
                       (;lang-de); or an OID such as 2.5.4.3";
            self.problem(at, why);
        }
    }

    fn ldap(&mut self, ldap: &Ldap) -> SourceConfig {
        const AT: &str = "spec.ldap";
        self.urls(AT, &ldap.urls, ldap.start_tls, ldap.insecure);
        self.dns(&format!("{AT}.baseDNs"), &ldap.base_dns);
        let [user_filter, group_filter] = self.filters(AT, &ldap.user_filter, &ldap.group_filter);
        if ldap.anchor_attribute.eq_ignore_ascii_case("dn") {
            let why = "a DN changes when an entry is renamed or moved; name an attribute that never changes, or leave it out";
            self.problem("spec.ldap.anchorAttribute", why);
        } else {
            self.anchor_attribute("spec.ldap.anchorAttribute", &ldap.anchor_attribute);
        }
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

    fn entra_id(&mut self, tenant: &EntraId) -> Option<SourceConfig> {
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
            cloud: match tenant.cloud {
                api::connector::Cloud::Public => Cloud::Public,
                api::connector::Cloud::UsGovGccHigh => Cloud::UsGovGccHigh,
                api::connector::Cloud::UsGovDoD => Cloud::UsGovDoD,
                api::connector::Cloud::China => Cloud::China,
            },
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
            (None, None, Some(_)) => {
                if !endpoints.authority.is_empty() {
                    let why = "the pod's token goes to the cloud's own authority alone; leave out endpoints.authority, or use \
                               another credential";
                    self.problem(AT, why);
                }
                Some(Credential::Federated(FEDERATED_TOKEN.into()))
            }
            _ => {
                let why =
                    "name exactly one credential: clientSecretRef, certificateSecretRef or workloadIdentity";
                self.problem(AT, why);
                None
            }
        }
    }

    fn google_workspace(&mut self, customer: &GoogleWorkspace) -> Option<SourceConfig> {
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
            endpoints: google_endpoints(&endpoints),
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
                let keyless = Keyless { provider, pod_token: GOOGLE_TOKEN.into(), sts, iam };
                Some((email.clone(), Signing::Keyless(keyless)))
            }
            _ => {
                self.problem(AT, "name exactly one credential: serviceAccountKeyRef or workloadIdentity");
                None
            }
        }
    }

    /// Hosts that are given in place of the usual ones.
    fn places(&mut self, at: &str, places: &[(&str, &String)]) {
        for (field, place) in places.iter().filter(|(_, place)| !place.is_empty()) {
            if !http::is_place(place) {
                let why = format!("{place} must be https:// and a host, such as https://graph.corp.example");
                self.problem(&format!("{at}.endpoints.{field}"), &why);
            }
        }
    }

    fn trusted(&mut self, at: &str, trust: &Trust) -> Option<Vec<u8>> {
        let ca_pem = trust.ca_ref.as_ref().map(|it| self.objects.certificates(self.name, it));
        self.followed(&format!("{at}.tls.caRef"), ca_pem)
    }

    fn urls(&mut self, at: &str, urls: &[String], start_tls: bool, insecure: bool) {
        if urls.is_empty() {
            self.problem(&format!("{at}.urls"), "name at least one url, such as ldaps://ldap.corp.example");
        }
        for (number, url) in urls.iter().enumerate() {
            if let Err(why) = check_url(url, start_tls, insecure) {
                self.problem(&format!("{at}.urls[{number}]"), &why);
            }
        }
    }

    fn dns(&mut self, at: &str, dns: &[String]) {
        for (number, dn) in dns.iter().enumerate() {
            if let Err(error) = Dn::parse(dn) {
                self.problem(&format!("{at}[{number}]"), &format!("{dn} is not a DN: {error}"));
            }
        }
    }

    /// The filters for users and groups that are given, each in one line.
    fn filters(&mut self, at: &str, users: &str, groups: &str) -> [Option<String>; 2] {
        [("userFilter", users), ("groupFilter", groups)].map(|(field, text)| {
            let field = format!("{at}.{field}");
let filter = joined(text).map_err(|why| self.problem(&field, &why)).ok()?;
            if filter.is_empty() && !text.is_empty() {
                let why = "has only blanks; leave it out to read all entries of this kind, or write a filter";
                self.problem(&field, why);
            } else if !filter.is_empty() && !ldap::is_filter(&filter) {
                let why = format!(
                    "{filter} is not an LDAP filter (RFC 4515): check its parentheses, and write * ( ) \\ within a value as \
                     \\2a \\28 \\29 \\5c"
                );
                self.problem(&field, &why);
            }
            given(&filter)
        })
    }

    fn authority(&mut self, at: &str, tls: &Tls) -> Option<Vec<u8>> {
        let authority = tls.ca_ref.as_ref().map(|it| self.objects.certificates(self.name, it));
        self.followed(&format!("{at}.tls.caRef"), authority)
    }

    fn ldif(&mut self, ldif: &Ldif, folder: &Folder) -> Option<SourceConfig> {
        self.disabled_when("spec.ldif.disabledWhen", &ldif.disabled_when);
        let [user_filter, group_filter] = self.filters("spec.ldif", &ldif.user_filter, &ldif.group_filter);
        let places = (&ldif.path, &ldif.secret_key_ref, &ldif.config_map_key_ref);
        let (input, name) = match places {
            (Some(_), None, None) if folder.is_none() => {
                let why = "a file on disk is only for `rollcall sync`; put the export into a Secret or ConfigMap and name \
                           that with secretKeyRef or configMapKeyRef";
                return self.fail("spec.ldif.path", why);
            }
            (Some(path), None, None) => {
                let path = folder.as_deref().unwrap_or(Path::new("")).join(path);
                let name = path.display().to_string();
                (Input::Path(path), name)
            }
            (None, Some(reference), None) => {
                let text = self.objects.secret(self.name, &reference.name, &reference.key);
                let text = text.map(|secret| secret.expose().to_vec());
                let text = self.followed("spec.ldif.secretKeyRef", Some(text))?;
                (Input::Text(text.into()), format!("key {} of Secret {}", reference.key, reference.name))
            }
            (None, None, Some(reference)) => {
                let text = self.objects.config_map(self.name, reference);
                let text = self.followed("spec.ldif.configMapKeyRef", Some(text))?;
                (Input::Text(text.into()), format!("key {} of ConfigMap {}", reference.key, reference.name))
            }
            _ => {
                return self
                    .fail("spec.ldif", "name exactly one place: path, secretKeyRef or configMapKeyRef");
            }
        };
        self.anchor_attribute("spec.ldif.anchorAttribute", &ldif.anchor_attribute);
        Some(SourceConfig::Ldif(LdifConfig {
            input,
            name,
            directory_id: given(&ldif.directory_id).map(DirectoryId::new),
            anchor: given(&ldif.anchor_attribute),
            user_filter,
            group_filter,
            literal: self.literal.clone(),
        }))
    }

    /// What the rule reads is asked for too.
    fn disabled_when(&mut self, field: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        match Expression::compile(text, Subject::User, Returns::Bool) {
            Ok(expression) => self.literal.extend(expression.attributes().iter().cloned()),
            Err(error) => self.problem(field, &error.to_string()),
        }
    }

    fn duration(&mut self, field: &str, text: &api::Duration) -> Option<Duration> {
        let duration = text.get();
        if duration.is_none() {
            self.problem(field, &not_a_duration(text));
        }
        duration
    }

    fn followed<T>(&mut self, field: &str, followed: Option<Result<T, String>>) -> Option<T> {
        let object = self.object();
        followed?.map_err(|why| self.problems.push(Problem::elsewhere(&object, field, why))).ok()
    }

    fn fail(&mut self, field: &str, message: &str) -> Option<SourceConfig> {
        self.problem(field, message);
        None
    }

    fn problem(&mut self, field: &str, message: &str) {
        self.problems.push(Problem::new(&self.object(), field, message));
    }

    fn object(&self) -> String {
        format!("DirectoryConnector {}", self.name)
    }
}

pub(super) fn not_a_duration(text: &api::Duration) -> String {
    format!("{:?} is not a duration; write it with ms, s, m and h, such as 90s or 1h30m", text.0)
}

/// Hosts in place of Google's own.
fn google_endpoints(endpoints: &GoogleEndpoints) -> Endpoints {
    let GoogleEndpoints { directory, token } = endpoints;
    Endpoints { directory: given(directory), token: given(token) }
}

fn is_address(text: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "@/".contains(c));
    text.split_once('@').is_some_and(|(local, host)| is_part(local) && is_part(host))
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn check_url(url: &str, start_tls: bool, insecure: bool) -> Result<(), String> {
    let (secure, rest) = match (url.strip_prefix("ldaps://"), url.strip_prefix("ldap://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        (None, None) => return Err(format!("{url} must begin with ldaps:// or ldap://")),
    };
    let host_and_port = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match host_and_port.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets.
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (host_and_port, None),
    };
    if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
        return Err(format!("{url} has no host; write it like ldaps://ldap.corp.example:636"));
    }
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        return Err(format!("the port of {url} is not a number from 1 to 65535"));
    }
    if !secure && !start_tls && !insecure {
        return Err(format!(
            "{url} would send passwords and people's data unprotected; use ldaps://, or startTLS: true, or accept it with \
             insecure: true"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("ldaps://dc1.corp.example", false, false, true)]
    #[case("ldaps://dc1.corp.example:636/", false, false, true)]
    #[case("ldaps://[::1]:1636", false, false, true)]
    #[case("ldaps://[::1]", false, false, true)]
    #[case("ldap://dc1.corp.example", true, false, true)]
    #[case("ldap://dc1.corp.example", false, true, true)]
    #[case("ldap://dc1.corp.example", false, false, false)]
    #[case("http://dc1.corp.example", false, true, false)]
    #[case("ldaps://", false, false, false)]
    #[case("ldaps://host:0", false, false, false)]
    #[case("ldaps://host:99999", false, false, false)]
    #[case("ldaps://host/dc=corp", false, false, false)]
    fn takes_urls_that_lead_to_a_server(
        #[case] url: &str,
        #[case] start_tls: bool,
        #[case] insecure: bool,
        #[case] fine: bool,
    ) {
        assert_eq!(check_url(url, start_tls, insecure).is_ok(), fine);
    }
}
