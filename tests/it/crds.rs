//! The two kinds on a real apiserver: what it refuses at once, what it says then, and what it fills in.

use rstest::rstest;
use serde_json::{Value, json};

use crate::manifests;
use crate::support::cli::Ran;
use crate::support::cluster::{Cluster, kstatus};

/// A connector to a server, with more fields of `spec.ldap`.
fn ldap(more: &str) -> String {
    connector(&format!("ldap: {{ urls: [\"ldaps://a\"], {more} }}"))
}

/// A connector to a Domino Directory, with more fields of `spec.domino`.
fn domino(more: &str) -> String {
    connector(&format!("domino: {{ urls: [\"ldaps://a\"], {more} }}"))
}

fn domain(url: &str, more: &str) -> String {
    connector(&format!(
        "activeDirectory: {{ urls: [\"{url}\"], credentialsSecretRef: {{ name: reader }}{more} }}"
    ))
}

/// A domain whose controllers DNS names, with more fields of `spec.activeDirectory`.
fn found(discovery: &str, more: &str) -> String {
    connector(&format!(
        "activeDirectory: {{ dnsDiscovery: {{ {discovery} }}, credentialsSecretRef: {{ name: reader }}{more} }}"
    ))
}

/// A tenant, with more fields of `spec.entraId`.
fn tenant(id: &str, more: &str) -> String {
    connector(&format!("entraId: {{ tenantID: {id}, clientID: {APP}{more} }}"))
}

const APP: &str = "4e12ac45-6e38-4a11-bdbf-82af381af98e";
/// By a client secret.
const BY_SECRET: &str = ", credentials: { clientSecretRef: { name: graph, key: client-secret } }";
/// By the pod's own token.
const BY_POD: &str = ", credentials: { workloadIdentity: {} }";

/// A customer, with more fields of `spec.googleWorkspace`.
fn customer(more: &str) -> String {
    connector(&format!("googleWorkspace: {{ adminEmail: reader@corp.example{more} }}"))
}

/// By a key of the service account.
const BY_KEY: &str = ", credentials: { serviceAccountKeyRef: { name: google, key: key.json } }";
/// Without one.
const KEYLESS: &str = ", credentials: { workloadIdentity: { serviceAccountEmail: a@b.iam.gserviceaccount.com, provider: \
                       projects/1/locations/global/workloadIdentityPools/p/providers/q } }";

fn connector(spec: &str) -> String {
    format!(
        "{{ apiVersion: rollcall.dev/v1alpha1, kind: DirectoryConnector, metadata: {{ name: corp, namespace: default }}, \
         spec: {{ {spec} }} }}"
    )
}

/// A policy with more fields of `spec`.
fn policy(more: &str) -> String {
    bare_policy(&format!("connectors: [{{ name: corp }}], target: {{ registry: {{}} }}, {more}"))
}

/// A policy whose target is a SCIM service, with these credentials and more fields of `spec.target.scim`.
fn scim(url: &str, credentials: &str, more: &str) -> String {
    let more = if more.is_empty() { String::new() } else { format!(", {more}") };
    bare_policy(&format!(
        "connectors: [{{ name: corp }}], target: {{ scim: {{ url: \"{url}\", credentials: {{ {credentials} }}{more} }} }}"
    ))
}

/// A policy whose target is a tenant of Mimecast, with these fields of it and more of `spec`.
fn mimecast(fields: &str, more: &str) -> String {
    let comma = |text: &str| if text.is_empty() { String::new() } else { format!(", {text}") };
    bare_policy(&format!(
        "connectors: [{{ name: corp }}], target: {{ mimecast: {{ credentialsSecretRef: {{ name: m }}{} }} }}{}",
        comma(fields),
        comma(more)
    ))
}

const BY_TOKEN: &str = "tokenSecretRef: { name: app, key: token }";

fn bare_policy(spec: &str) -> String {
    format!(
        "{{ apiVersion: rollcall.dev/v1alpha1, kind: SyncPolicy, metadata: {{ name: staff, namespace: default }}, spec: {{ \
         {spec} }} }}"
    )
}

/// The object as the apiserver would keep it.
fn created(object: &str) -> Ran {
    let arguments = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
    Cluster::shared().admin("default").with_input(&arguments, object)
}

/// What `spec/` says of the same object; a policy has the connector that it names beside it, but no
/// object has the Secrets and ConfigMaps that it names.
fn problems(object: &str) -> Vec<String> {
    let beside = if object.contains("SyncPolicy") { ldap("") } else { String::new() };
    let problems = manifests::problems_in(None, &format!("{beside}\n---\n{object}\n"));
    problems
        .into_iter()
        .filter(|problem| {
            !problem.contains(": there is no Secret ") && !problem.contains(": there is no ConfigMap ")
        })
        .collect()
}

#[rstest]
#[case::least(ldap(""))]
#[case::checked_often(connector("ldif: { secretKeyRef: { name: a, key: b } }, fullReadEvery: 1m"))]
#[case::fed(domain("ldaps://a", ", changeFeed: DirSync"))]
#[case::domain(domain("ldaps://a", ""))]
#[case::domain_by_start_tls(domain("ldap://a:389/", ", startTLS: true, excludeDNs: [\"ou=x,dc=a\"]"))]
#[case::domain_in_the_open(domain("ldap://a", ", insecure: true"))]
#[case::found_by_dns(found("domain: corp.example", ""))]
#[case::found_by_others(found(
    "domain: a, site: HQ-1, nameservers: [10.0.0.53, \"10.0.0.53:5353\", \"[fd00::53]:53\"]",
    ""
))]
#[case::domain_of_an_engine(connector(
    "activeDirectory: { syncEngine: {}, baseDNs: [\"ou=x,dc=a\"], userFilter: \"(uid=*)\", changeFeed: FullRead }"
))]
#[case::server_of_an_engine(connector(
    "ldap: { syncEngine: { engines: 5 }, anchorAttribute: dnQualifier, pageSize: 7 }"
))]
#[case::tenant(tenant("corp.onmicrosoft.com", BY_SECRET))]
#[case::tenant_by_id(tenant(
    APP,
    ", credentials: { certificateSecretRef: { name: graph } }, cloud: UsGovDoD"
))]
#[case::tenant_without_a_secret(tenant("corp.example", &format!("{BY_POD}, endpoints: {{ graph: \"https://a:1/\" }}")))]
#[case::tenant_elsewhere(tenant(
    "corp.example",
    &format!("{BY_SECRET}, endpoints: {{ authority: \"https://a\" }}, tls: {{ caRef: {{ name: ca }} }}, cloud: China")
))]
#[case::customer(customer(BY_KEY))]
#[case::customer_by_id(customer(&format!("{BY_KEY}, customer: C01abc234, requestsPerMinute: 60")))]
#[case::one_domain(customer(&format!("{KEYLESS}, domain: corp.example")))]
#[case::customer_elsewhere(customer(&format!("{BY_KEY}, endpoints: {{ token: \"https://a:1/\", directory: \"https://b\" }}, tls: {{ caRef: {{ name: ca }} }}")))]
#[case::start_tls(connector("ldap: { urls: [\"ldap://a\", \"ldaps://b\"], startTLS: true }"))]
#[case::in_the_open(connector("ldap: { urls: [\"ldap://a\"], insecure: true }"))]
#[case::most_urls(connector(&format!("ldap: {{ urls: [{}] }}", "\"ldaps://a\", ".repeat(8))))]
#[case::another_anchor(ldap("anchorAttribute: dnQualifier"))]
#[case::domino(domino(""))]
#[case::domino_with_everything(domino(
    "startTLS: true, credentialsSecretRef: { name: reader }, baseDNs: [\"o=Corp\"], userFilter: (mail=*), groupTypes: [MailOnly, \
     DenyListOnly], splitGroups: \"{name} ({number})\", anchorAttribute: employeeID"
))]
#[case::domino_in_the_clear(connector("domino: { urls: [\"ldap://a\"], insecure: true }"))]
#[case::smallest_page(ldap("pageSize: 1"))]
#[case::largest_page(ldap("pageSize: 10000"))]
#[case::credentials(ldap("credentialsSecretRef: { name: reader }"))]
#[case::authority(ldap("tls: { caRef: { name: ca, kind: Secret, key: ca.pem }, serverName: a.example }"))]
#[case::long_filter(ldap(&format!("userFilter: (uid={})", "x".repeat(4090))))]
#[case::secret(connector("ldif: { secretKeyRef: { name: a, key: b } }"))]
#[case::ldif_filters(connector(
    "ldif: { secretKeyRef: { name: a, key: b }, userFilter: (objectClass=person), groupFilter: \"(|(cn=a*)(cn=b))\" }"
))]
#[case::config_map(connector(
    "ldif: { configMapKeyRef: { name: a, key: b }, directoryID: x, anchorAttribute: dn }"
))]
#[case::durations(connector(
    "ldif: { configMapKeyRef: { name: a, key: b } }, interval: 10s, retryInterval: 1000ms, timeout: 0.5h30m"
))]
#[case::least_policy(policy(""))]
#[case::connector(bare_policy(
    "connectors: [{ name: corp, maxAge: 1m }], target: { registry: { tokenSecretRef: { name: a, key: b } } }"
))]
#[case::scim(scim("https://app.example/scim/v2", BY_TOKEN, ""))]
#[case::mimecast(mimecast("", "groups: { vanished: { do: Unlink } }"))]
#[case::mimecast_of_a_region(mimecast(
    "url: \"https://eu-api.services.mimecast.com\", parentFolder: Staff",
    "users: { leavers: [{ do: Disable }], recreated: Relink }"
))]
#[case::mimecast_without_tls(mimecast("url: \"http://127.0.0.1:8080\", insecure: true", ""))]
#[case::scim_by_client(scim(
    "https://app.example",
    "oauth: { tokenURL: \"https://login.example/token?tenant=a\", clientSecretRef: { name: app }, scope: scim }",
    "profile: Auto, tls: { caRef: { name: ca } }, overrides: { membersPerRequest: 10, memberRemoval: OneAtATime }"
))]
#[case::scim_without_tls(scim("http://127.0.0.1:8080/v2/", BY_TOKEN, "insecure: true"))]
#[case::adopt(policy("users: { adopt: Match, matchBy: [externalId, name] }, groups: { adopt: Never }"))]
#[case::schedule(policy(
    "schedule: { cron: [\"0 8,13 * * MON-FRI\", \"*/5 * * * *\"], timeZone: Europe/London }"
))]
#[case::domains(policy("users: { emailDomains: [corp.example, sub.corp.example] }"))]
#[case::one_step(policy("users: { leavers: [{ do: Delete }] }"))]
#[case::two_steps(policy("users: { leavers: [{ do: Disable }, { after: 720h, do: Delete }] }"))]
#[case::everybody(policy(
    "users: { contacts: Include, disabled: Leave, recreated: Relink, protected: [a@corp.example], \
     mailboxes: { shared: Exclude, resource: Exclude, linked: Keep } }"
))]
#[case::mapping(policy("users: { attributes: { title: user.title } }"))]
#[case::groups(policy(
    "groups: { include: [\"a*\"], exclude: [b], nesting: Preserve, vanished: { after: 1h, do: Empty } }"
))]
#[case::no_removals(policy("limits: { userRemovals: { count: 0, percent: 0 }, onExceed: HoldAll }"))]
#[case::all_removals(policy("limits: { userRemovals: { percent: 100 }, window: 1ms }"))]
#[case::preview(policy(
    "mode: Preview, deletionPolicy: Retain, suspend: true, retryInterval: 1s, timeout: 1s"
))]
fn takes(#[case] object: String) {
    created(&object).exits(0);
    assert_eq!(problems(&object), [""; 0]);
}

/// Each is refused by the apiserver with these words, and by `spec/` in that field.
#[rstest]
#[case::no_kind(
    connector(""),
    "name exactly one kind of directory: activeDirectory, domino, entraId, googleWorkspace, ldap or ldif",
    "spec"
)]
#[case::two_kinds(
    connector("ldap: { urls: [\"ldaps://a\"] }, ldif: { configMapKeyRef: { name: a, key: b } }"),
    "name exactly one kind of directory: activeDirectory, domino, entraId, googleWorkspace, ldap or ldif",
    "spec"
)]
#[case::two_kinds_with_a_domain(
    connector(
        "activeDirectory: { urls: [\"ldaps://a\"], credentialsSecretRef: { name: reader } }, ldap: { urls: [\"ldaps://a\"] }"
    ),
    "name exactly one kind of directory: activeDirectory, domino, entraId, googleWorkspace, ldap or ldif",
    "spec"
)]
#[case::checked_too_often(
    connector("ldif: { secretKeyRef: { name: a, key: b } }, fullReadEvery: 59s"),
    "is too short: use 1m or more",
    "spec.fullReadEvery"
)]
#[case::domain_unprotected(
    domain("ldap://a", ""),
    "use ldaps://, or startTLS: true, or accept it with insecure: true",
    "spec.activeDirectory.urls[0]"
)]
#[case::global_catalog(domain("ldaps://a:3269", ""), "a global catalog", "spec.activeDirectory.urls[0]")]
#[case::found_nowhere(
    connector("activeDirectory: { credentialsSecretRef: { name: reader } }"),
    "name domain controllers in urls, or their domain in dnsDiscovery, and not both",
    "spec.activeDirectory"
)]
#[case::found_twice(
    found("domain: a", ", urls: [\"ldaps://a\"]"),
    "name domain controllers in urls, or their domain in dnsDiscovery, and not both",
    "spec.activeDirectory"
)]
#[case::found_in_the_open(
    found("domain: a", ", insecure: true"),
    "with dnsDiscovery the password would be sent unprotected to any server that DNS names",
    "spec.activeDirectory"
)]
#[case::no_domain(
    found("domain: corp example", ""),
    "spec.activeDirectory.dnsDiscovery.domain in body should match",
    "spec.activeDirectory.dnsDiscovery.domain"
)]
#[case::no_site(
    found("domain: a, site: The Hague", ""),
    "spec.activeDirectory.dnsDiscovery.site in body should match",
    "spec.activeDirectory.dnsDiscovery.site"
)]
#[case::name_server_by_name(
    found("domain: a, nameservers: [dns.a]", ""),
    "spec.activeDirectory.dnsDiscovery.nameservers[0] in body should match",
    "spec.activeDirectory.dnsDiscovery.nameservers[0]"
)]
#[case::domain_without_account(
    connector("activeDirectory: { urls: [\"ldaps://a\"] }"),
    "name the Secret of the account that reads in credentialsSecretRef",
    "spec.activeDirectory"
)]
#[case::every_tenant(
    tenant("Common", BY_SECRET),
    "must be one tenant: its ID, or one of its domains",
    "spec.entraId.tenantID"
)]
#[case::no_tenant(
    tenant("\"corp example\"", BY_SECRET),
    "spec.entraId.tenantID in body should match",
    "spec.entraId.tenantID"
)]
#[case::no_app(
    connector(&format!("entraId: {{ tenantID: corp.example, clientID: rollcall{BY_SECRET} }}")),
    "spec.entraId.clientID in body should match",
    "spec.entraId.clientID"
)]
#[case::no_credential(
    tenant("corp.example", ", credentials: {}"),
    "name exactly one credential",
    "spec.entraId.credentials"
)]
#[case::two_credentials(
    tenant("corp.example", ", credentials: { workloadIdentity: {}, certificateSecretRef: { name: a } }"),
    "name exactly one credential",
    "spec.entraId.credentials"
)]
#[case::pods_token_elsewhere(
    tenant("corp.example", &format!("{BY_POD}, endpoints: {{ authority: \"https://a\" }}")),
    "a service account's token goes to the cloud's own authority alone",
    "spec.entraId.credentials"
)]
#[case::no_service_account(
    tenant("corp.example", ", credentials: { workloadIdentity: { serviceAccountName: ../graph } }"),
    "spec.entraId.credentials.workloadIdentity.serviceAccountName in body should match",
    "spec.entraId.credentials.workloadIdentity.serviceAccountName"
)]
#[case::tenant_in_the_open(
    tenant("corp.example", &format!("{BY_SECRET}, endpoints: {{ graph: \"http://a\" }}")),
    "spec.entraId.endpoints.graph in body should match",
    "spec.entraId.endpoints.graph"
)]
#[case::no_cloud(
    tenant("corp.example", &format!("{BY_SECRET}, cloud: Germany")),
    "Unsupported value: \"Germany\"",
    "spec.entraId.cloud"
)]
#[case::customer_and_domain(
    customer(&format!("{BY_KEY}, customer: my_customer, domain: corp.example")),
    "name a customer or a domain, and not both",
    "spec.googleWorkspace"
)]
#[case::no_customer(
    customer(&format!("{BY_KEY}, customer: corp.example")),
    "spec.googleWorkspace.customer in body should match",
    "spec.googleWorkspace.customer"
)]
#[case::no_domain_name(
    customer(&format!("{BY_KEY}, domain: \"https://corp.example\"")),
    "spec.googleWorkspace.domain in body should match",
    "spec.googleWorkspace.domain"
)]
#[case::no_administrator(
    connector(&format!("googleWorkspace: {{ adminEmail: reader{BY_KEY} }}")),
    "spec.googleWorkspace.adminEmail in body should match",
    "spec.googleWorkspace.adminEmail"
)]
#[case::no_account(
    customer(", credentials: {}"),
    "name exactly one credential: serviceAccountKeyRef or workloadIdentity",
    "spec.googleWorkspace.credentials"
)]
#[case::no_provider(
    customer(&KEYLESS.replace("/providers/q", "")),
    "spec.googleWorkspace.credentials.workloadIdentity.provider in body should match",
    "spec.googleWorkspace.credentials.workloadIdentity.provider"
)]
#[case::no_account_of_google(
    customer(&KEYLESS.replace("a@b.iam", "a b.iam")),
    "spec.googleWorkspace.credentials.workloadIdentity.serviceAccountEmail in body should match",
    "spec.googleWorkspace.credentials.workloadIdentity.serviceAccountEmail"
)]
#[case::signed_elsewhere(
    customer(&format!("{KEYLESS}, endpoints: {{ directory: \"https://a\" }}")),
    "what the pod's token brings goes to Google's own hosts alone",
    "spec.googleWorkspace.credentials"
)]
#[case::customer_in_the_open(
    customer(&format!("{BY_KEY}, endpoints: {{ directory: \"http://a\" }}")),
    "spec.googleWorkspace.endpoints.directory in body should match",
    "spec.googleWorkspace.endpoints.directory"
)]
#[case::too_few_requests(
    customer(&format!("{BY_KEY}, requestsPerMinute: 59")),
    "should be greater than or equal to 60",
    "spec.googleWorkspace.requestsPerMinute"
)]
#[case::unprotected(
    connector("ldap: { urls: [\"ldaps://a\", \"ldap://b\"] }"),
    "use ldaps://, or startTLS: true, or accept it with insecure: true",
    "spec.ldap.urls[1]"
)]
#[case::no_url(connector("ldap: { urls: [] }"), "name the servers in urls", "spec.ldap.urls")]
#[case::no_urls(connector("ldap: {}"), "name the servers in urls", "spec.ldap.urls")]
#[case::engine_and_urls(
    ldap("syncEngine: {}"),
    "with syncEngine the engine's own engine.yaml says where the directory is",
    "spec.ldap"
)]
#[case::engine_and_credentials(
    connector("ldap: { syncEngine: {}, credentialsSecretRef: { name: reader } }"),
    "with syncEngine the engine's own engine.yaml says where the directory is",
    "spec.ldap"
)]
#[case::engine_and_tls(
    connector("ldap: { syncEngine: {}, tls: { caRef: { name: ca } } }"),
    "with syncEngine the engine's own engine.yaml says where the directory is",
    "spec.ldap"
)]
#[case::no_engines(
    connector("ldap: { syncEngine: { engines: 0 } }"),
    "spec.ldap.syncEngine.engines in body should be greater than or equal to 1",
    "spec.ldap.syncEngine.engines"
)]
#[case::many_engines(
    connector("activeDirectory: { syncEngine: { engines: 6 } }"),
    "spec.activeDirectory.syncEngine.engines in body should be less than or equal to 5",
    "spec.activeDirectory.syncEngine.engines"
)]
#[case::engine_and_domain_controllers(
    domain("ldaps://a", ", syncEngine: {}"),
    "with syncEngine the engine's own engine.yaml says where the directory is",
    "spec.activeDirectory"
)]
#[case::engine_and_dns(
    connector("activeDirectory: { syncEngine: {}, dnsDiscovery: { domain: corp.example } }"),
    "with syncEngine the engine's own engine.yaml says where the directory is",
    "spec.activeDirectory"
)]
#[case::engine_and_start_tls(
    connector("activeDirectory: { syncEngine: {}, startTLS: true }"),
    "with syncEngine the engine's own engine.yaml says where the directory is",
    "spec.activeDirectory"
)]
#[case::nobody_who_reads(
    connector("activeDirectory: { urls: [\"ldaps://a\"] }"),
    "name the Secret of the account that reads in credentialsSecretRef",
    "spec.activeDirectory"
)]
#[case::many_urls(connector(&format!("ldap: {{ urls: [{}] }}", "\"ldaps://a\", ".repeat(9))), "must have at most 8 items", "spec.ldap.urls")]
#[case::no_ldap_url(
    connector("ldap: { urls: [\"http://a\"] }"),
    "spec.ldap.urls[0] in body should match",
    "spec.ldap.urls[0]"
)]
#[case::url_with_a_path(
    connector("ldap: { urls: [\"ldaps://a/dc=x\"] }"),
    "spec.ldap.urls[0] in body should match",
    "spec.ldap.urls[0]"
)]
#[case::anchored_by_dn(
    ldap("anchorAttribute: DN"),
    "a DN changes when an entry is renamed or moved: name an attribute that never changes",
    "spec.ldap.anchorAttribute"
)]
#[case::long_anchor(ldap(&format!("anchorAttribute: {}", "x".repeat(129))), "may not be more than 128 bytes", "spec.ldap.anchorAttribute")]
#[case::many_base_dns(ldap(&format!("baseDNs: [{}]", "dc=x, ".repeat(17))), "must have at most 16 items", "spec.ldap.baseDNs")]
#[case::long_base_dn(ldap(&format!("baseDNs: [\"dc={}\"]", "x".repeat(1024))), "may not be more than 1024 bytes", "spec.ldap.baseDNs[0]")]
#[case::long_user_filter(ldap(&format!("userFilter: (uid={})", "x".repeat(4096))), "may not be more than 4096 bytes", "spec.ldap.userFilter")]
#[case::long_group_filter(ldap(&format!("groupFilter: (uid={})", "x".repeat(4096))), "may not be more than 4096 bytes", "spec.ldap.groupFilter")]
#[case::long_rule(ldap(&format!("disabledWhen: \"user.mail == '{}'\"", "x".repeat(4096))), "may not be more than 4096 bytes", "spec.ldap.disabledWhen")]
#[case::no_page(
    ldap("pageSize: 0"),
    "spec.ldap.pageSize in body should be greater than or equal to 1",
    "spec.ldap.pageSize"
)]
#[case::large_page(
    ldap("pageSize: 10001"),
    "spec.ldap.pageSize in body should be less than or equal to 10000",
    "spec.ldap.pageSize"
)]
#[case::nameless_secret(
    ldap("credentialsSecretRef: { name: \"\" }"),
    "spec.ldap.credentialsSecretRef.name in body should be at least 1 chars long",
    "spec.ldap.credentialsSecretRef.name"
)]
#[case::no_secret(
    ldap("credentialsSecretRef: {}"),
    "spec.ldap.credentialsSecretRef.name: Required value",
    "spec.ldap.credentialsSecretRef"
)]
#[case::unknown_authority(
    ldap("tls: { caRef: { name: a, kind: File } }"),
    "Unsupported value: \"File\": supported values: \"ConfigMap\", \"Secret\"",
    "spec.ldap.tls.caRef.kind"
)]
#[case::long_server_name(ldap(&format!("tls: {{ serverName: {} }}", "x".repeat(254))), "may not be more than 253 bytes", "spec.ldap.tls.serverName")]
#[case::no_place(connector("ldif: {}"), "name exactly one place", "spec.ldif")]
#[case::two_places(
    connector("ldif: { secretKeyRef: { name: a, key: b }, configMapKeyRef: { name: a, key: b } }"),
    "name exactly one place",
    "spec.ldif"
)]
#[case::on_disk(
    connector("ldif: { path: corp.ldif }"),
    "a file on disk is only for `rollcall sync`: put the export into a Secret or ConfigMap",
    "spec.ldif.path"
)]
#[case::keyless(
    connector("ldif: { secretKeyRef: { name: a } }"),
    "spec.ldif.secretKeyRef.key: Required value",
    "spec.ldif.secretKeyRef"
)]
#[case::long_key(connector(&format!("ldif: {{ secretKeyRef: {{ name: a, key: {} }} }}", "x".repeat(254))), "may not be more than 253 bytes", "spec.ldif.secretKeyRef.key")]
#[case::long_ldif_user_filter(connector(&format!("ldif: {{ secretKeyRef: {{ name: a, key: b }}, userFilter: (uid={}) }}", "x".repeat(4091))), "may not be more than 4096 bytes", "spec.ldif.userFilter")]
#[case::long_ldif_group_filter(connector(&format!("ldif: {{ configMapKeyRef: {{ name: a, key: b }}, groupFilter: (cn={}) }}", "x".repeat(4092))), "may not be more than 4096 bytes", "spec.ldif.groupFilter")]
#[case::long_directory_id(connector(&format!("ldif: {{ configMapKeyRef: {{ name: a, key: b }}, directoryID: {} }}", "x".repeat(1025))), "may not be more than 1024 bytes", "spec.ldif.directoryID")]
#[case::often(
    connector("ldap: { urls: [\"ldaps://a\"] }, interval: 9999ms"),
    "is too short to read a directory: use 10s or more",
    "spec.interval"
)]
#[case::days(
    connector("ldap: { urls: [\"ldaps://a\"] }, interval: 7d"),
    "spec.interval in body should match",
    "spec.interval"
)]
#[case::long_duration(connector(&format!("ldap: {{ urls: [\"ldaps://a\"] }}, interval: {}s", "1".repeat(32))), "may not be more than 32 bytes", "spec.interval")]
#[case::endless(
    connector("ldap: { urls: [\"ldaps://a\"] }, interval: 2562048h"),
    "spec.interval: Invalid value",
    "spec.interval"
)]
#[case::hasty(
    connector("ldap: { urls: [\"ldaps://a\"] }, retryInterval: 0s"),
    "is too short: use 1s or more",
    "spec.retryInterval"
)]
#[case::breathless(
    connector("ldap: { urls: [\"ldaps://a\"] }, timeout: 0s"),
    "is too short: use 1s or more",
    "spec.timeout"
)]
#[case::domino_unprotected(
    connector("domino: { urls: [\"ldap://a\"] }"),
    "ldap:// would send passwords and people's data unprotected",
    "spec.domino.urls[0]"
)]
#[case::domino_no_urls(
    connector("domino: { urls: [] }"),
    "spec.domino.urls in body should have at least 1 items",
    "spec.domino.urls"
)]
#[case::domino_no_group_types(
    domino("groupTypes: []"),
    "spec.domino.groupTypes in body should have at least 1 items",
    "spec.domino.groupTypes"
)]
#[case::domino_unknown_group_type(
    domino("groupTypes: [Terminations]"),
    "spec.domino.groupTypes[0]: Unsupported value",
    "spec.domino.groupTypes[0]"
)]
#[case::domino_no_rule(
    domino("splitGroups: \"{number} {name}\""),
    "spec.domino.splitGroups in body should match",
    "spec.domino.splitGroups"
)]
#[case::domino_odd_rule(
    domino("splitGroups: \"{name}*{number}\""),
    "spec.domino.splitGroups in body should match",
    "spec.domino.splitGroups"
)]
#[case::domino_dn(
    domino("anchorAttribute: DN"),
    "a DN changes when an entry is renamed or moved",
    "spec.domino.anchorAttribute"
)]
#[case::domino_and_ldap(
    connector("domino: { urls: [\"ldaps://a\"] }, ldap: { urls: [\"ldaps://a\"] }"),
    "name exactly one kind of directory: activeDirectory, domino, entraId, googleWorkspace, ldap or ldif",
    "spec"
)]
#[case::unknown(ldap("startTls: true"), "unknown field \"spec.ldap.startTls\"", "spec.ldap.startTls")]
#[case::no_connector(
    bare_policy("connectors: [], target: { registry: {} }"),
    "spec.connectors in body should have at least 1 items",
    "spec.connectors"
)]
#[case::two_connectors(
    bare_policy("connectors: [{ name: corp }, { name: b }], target: { registry: {} }"),
    "must have at most 1 item",
    "spec.connectors"
)]
#[case::nameless_connector(
    bare_policy("connectors: [{}], target: { registry: {} }"),
    "spec.connectors[0].name: Required value",
    "spec.connectors[0]"
)]
#[case::nothing_from(bare_policy("target: { registry: {} }"), "spec.connectors: Required value", "spec")]
#[case::nowhere(bare_policy("connectors: [{ name: corp }]"), "spec.target: Required value", "spec")]
#[case::no_target(
    bare_policy("connectors: [{ name: corp }], target: {}"),
    "name exactly one kind of target: registry, scim or mimecast",
    "spec.target"
)]
#[case::two_targets(
    bare_policy(&format!(
        "connectors: [{{ name: corp }}], target: {{ registry: {{}}, scim: {{ url: \"https://a.example\", credentials: {{ {BY_TOKEN} }} }} }}"
    )),
    "name exactly one kind of target: registry, scim or mimecast",
    "spec.target"
)]
#[case::mimecast_without_tls_unasked(
    mimecast("url: \"http://mimecast.example\"", ""),
    "insecure: true allows http://",
    "spec.target.mimecast.url"
)]
#[case::mimecast_without_folder(
    mimecast("parentFolder: \"\"", ""),
    "spec.target.mimecast.parentFolder in body should be at least 1 chars long",
    "spec.target.mimecast.parentFolder"
)]
#[case::mimecast_that_deletes(
    mimecast("", "users: { leavers: [{ do: Disable }, { after: 720h, do: Delete }] }"),
    "the API of Mimecast deletes no users: end users.leavers",
    "spec.users.leavers"
)]
#[case::mimecast_that_replaces(
    mimecast("", "users: { recreated: Replace }"),
    "so none can be replaced",
    "spec.users.recreated"
)]
#[case::mimecast_that_nests(
    mimecast("", "groups: { nesting: Preserve }"),
    "use Flatten in groups.nesting",
    "spec.groups.nesting"
)]
#[case::registry_that_forgets_groups(
    policy("groups: { vanished: { do: Unlink } }"),
    "nobody but Rollcall can remove a group from the registry",
    "spec.groups.vanished.do"
)]
#[case::scim_without_tls_unasked(
    scim("http://app.example/scim", BY_TOKEN, ""),
    "insecure: true allows http://",
    "spec.target.scim.url"
)]
#[case::scim_with_a_password(
    scim("https://ada:secret@app.example/scim", BY_TOKEN, ""),
    "spec.target.scim.url in body should match",
    "spec.target.scim.url"
)]
#[case::scim_elsewhere(
    scim("ldaps://app.example", BY_TOKEN, ""),
    "spec.target.scim.url in body should match",
    "spec.target.scim.url"
)]
#[case::scim_as_nobody(
    scim("https://app.example", "", ""),
    "name exactly one credential: tokenSecretRef or oauth",
    "spec.target.scim.credentials"
)]
#[case::scim_as_two(
    scim("https://app.example", &format!("{BY_TOKEN}, oauth: {{ tokenURL: \"https://l.example\", clientSecretRef: {{ name: a }} }}"), ""),
    "name exactly one credential: tokenSecretRef or oauth",
    "spec.target.scim.credentials"
)]
#[case::no_cron(
    policy("schedule: { cron: [] }"),
    "spec.schedule.cron in body should have at least 1 items",
    "spec.schedule.cron"
)]
#[case::four_fields(
    policy("schedule: { cron: [\"0 8 * * *\", \"10 18 * JAN\"] }"),
    "five fields are needed: minute, hour",
    "spec.schedule.cron[1]"
)]
#[case::six_fields(
    policy("schedule: { cron: [\"0 0 8 * * *\"] }"),
    "five fields are needed: minute, hour",
    "spec.schedule.cron[0]"
)]
#[case::short_cron(
    policy("schedule: { cron: [\"@daily\"] }"),
    "should be at least 9 chars long",
    "spec.schedule.cron[0]"
)]
#[case::long_cron(policy(&format!("schedule: {{ cron: [\"{}0 * * * *\"] }}", "0,".repeat(64))), "may not be more than 128 bytes", "spec.schedule.cron[0]")]
#[case::many_crons(policy(&format!("schedule: {{ cron: [{}] }}", "\"0 8 * * *\", ".repeat(17))), "must have at most 16 items", "spec.schedule.cron")]
#[case::nowhere_on_earth(
    policy("schedule: { cron: [\"0 8 * * *\"], timeZone: \"\" }"),
    "spec.schedule.timeZone in body should be at least 1 chars long",
    "spec.schedule.timeZone"
)]
#[case::address_as_domain(
    policy("users: { emailDomains: [corp.example, \"@corp.example\"] }"),
    "write a domain like corp.example, without @, * and spaces",
    "spec.users.emailDomains[1]"
)]
#[case::pattern_as_domain(
    policy("users: { emailDomains: [\"*.corp.example\"] }"),
    "write a domain like corp.example, without @, * and spaces",
    "spec.users.emailDomains[0]"
)]
#[case::domain_twice(
    policy("users: { emailDomains: [a.example, a.example] }"),
    "spec.users.emailDomains[1]: Duplicate value",
    "spec.users.emailDomains[1]"
)]
#[case::protected_twice(
    policy("users: { protected: [a, b, a] }"),
    "spec.users.protected[2]: Duplicate value",
    "spec.users.protected[2]"
)]
#[case::long_condition(policy(&format!("users: {{ where: \"user.mail == '{}'\" }}", "x".repeat(4096))), "may not be more than 4096 bytes", "spec.users.where")]
#[case::no_step(
    policy("users: { leavers: [] }"),
    "spec.users.leavers in body should have at least 1 items",
    "spec.users.leavers"
)]
#[case::after_the_last(
    policy("users: { leavers: [{ do: Delete }, { after: 5h, do: Disable }] }"),
    "a step that deletes the user must be the last: nothing is left to do then",
    "spec.users.leavers[1]"
)]
#[case::backwards(
    policy("users: { leavers: [{ after: 90m, do: Disable }, { after: 1h, do: Delete }] }"),
    "each step must come later than the step before it: raise its after",
    "spec.users.leavers[1]"
)]
#[case::at_the_same_time(
    policy("users: { leavers: [{ do: Disable }, { do: Delete }] }"),
    "each step must come later than the step before it: raise its after",
    "spec.users.leavers[1]"
)]
#[case::the_same_again(
    policy("users: { leavers: [{ do: Disable }, { after: 1h, do: Disable }] }"),
    "a step does what the step before it does: remove one of them",
    "spec.users.leavers[1]"
)]
#[case::unknown_step(
    policy("users: { leavers: [{ do: Vanish }] }"),
    "Unsupported value: \"Vanish\": supported values: \"Disable\", \"Delete\"",
    "spec.users.leavers[0].do"
)]
#[case::no_deed(
    policy("users: { leavers: [{ after: 0s }] }"),
    "spec.users.leavers[0].do: Required value",
    "spec.users.leavers[0]"
)]
#[case::many_attributes(policy(&format!("users: {{ attributes: {{ {} }} }}", (0..65).fold(String::new(), |all, at| all + &format!("a{at}: user.title, ")))), "must have at most 64 items", "spec.users.attributes")]
#[case::unknown_group_step(
    policy("groups: { vanished: { do: Disable } }"),
    "supported values: \"Unlink\", \"Empty\", \"Delete\"",
    "spec.groups.vanished.do"
)]
#[case::nameless_group(
    policy("groups: { include: [\"\"] }"),
    "spec.groups.include[0] in body should be at least 1 chars long",
    "spec.groups.include[0]"
)]
#[case::more_than_all(
    policy("limits: { disables: { percent: 101 } }"),
    "spec.limits.disables.percent in body should be less than or equal to 100",
    "spec.limits.disables.percent"
)]
#[case::less_than_none(
    policy("limits: { disables: { count: -1 } }"),
    "spec.limits.disables.count in body should be greater than or equal to 0",
    "spec.limits.disables.count"
)]
#[case::more_than_a_group(
    policy("limits: { memberRemovalsPerGroup: { percent: 101 } }"),
    "should be less than or equal to 100",
    "spec.limits.memberRemovalsPerGroup.percent"
)]
#[case::no_window(
    policy("limits: { window: 0h }"),
    "limits are counted over the window, so it must be longer than 0s: use 24h",
    "spec.limits.window"
)]
#[case::unknown_hold(
    policy("limits: { onExceed: HoldNothing }"),
    "supported values: \"HoldRemovals\", \"HoldAll\"",
    "spec.limits.onExceed"
)]
#[case::unknown_mode(policy("mode: Dry"), "supported values: \"Apply\", \"Preview\"", "spec.mode")]
#[case::no_breath(policy("timeout: 100ms"), "is too short: use 1s or more", "spec.timeout")]
#[case::no_patience(policy("retryInterval: 100ms"), "is too short: use 1s or more", "spec.retryInterval")]
fn refuses(#[case] object: String, #[case] words: &str, #[case] field: &str) {
    created(&object).exits(1).says(words);
    let problems = problems(&object);
    let there = problems.iter().any(|problem| problem.contains(&format!(": {field}: ")));
    assert!(there, "the apiserver refuses what spec/ says nothing of in {field}: {problems:?}");
}

#[rstest]
#[case::connector(ldap("tls: { caRef: { name: ca } }"), json!({
    "ldap": {
        "urls": ["ldaps://a"], "startTLS": false, "insecure": false, "pageSize": 500, "changeFeed": "Auto",
        "tls": { "caRef": { "name": "ca", "kind": "ConfigMap", "key": "ca.crt" } }
    },
    "fullReadEvery": "24h", "interval": "15m", "retryInterval": "1m", "timeout": "1h", "suspend": false
}))]
#[case::policy(policy("schedule: { cron: [\"0 8 * * *\"] }, users: { leavers: [{ do: Delete }] }"), json!({
    "connectors": [{ "name": "corp" }],
    "target": { "registry": {} },
    "schedule": { "cron": ["0 8 * * *"], "timeZone": "UTC" },
    "users": {
        "contacts": "Exclude", "disabled": "Disable", "recreated": "Quarantine",
        "leavers": [{ "do": "Delete" }]
    },
    "groups": { "nesting": "Flatten", "vanished": { "after": "0s", "do": "Delete" } },
    "limits": {
        "window": "24h",
        "userRemovals": { "count": 100, "percent": 5 },
        "groupRemovals": { "count": 20, "percent": 10 },
        "memberRemovals": { "count": 1000, "percent": 10 },
        "memberRemovalsPerGroup": { "percent": 50, "minimumSize": 10 },
        "identifierChanges": { "count": 100, "percent": 5 },
        "disables": { "count": 500, "percent": 20 },
        "quarantined": { "count": 100, "percent": 1 },
        "onExceed": "HoldRemovals"
    },
    "mode": "Apply", "deletionPolicy": "Retain", "retryInterval": "1m", "timeout": "1h", "suspend": false
}))]
fn fills_in_what_is_not_said(#[case] object: String, #[case] expected: Value) {
    let kept: Value = serde_json::from_str(&created(&object).exits(0).out).unwrap();
    assert_eq!(kept["spec"], expected);
}

/// What is said at one leaf costs no other leaf its default.
#[rstest]
#[case("limits: { userRemovals: { percent: 50 } }", "/limits/userRemovals", json!({ "count": 100, "percent": 50 }))]
#[case("limits: { groupRemovals: { count: 1 } }", "/limits/groupRemovals", json!({ "count": 1, "percent": 10 }))]
#[case("limits: { memberRemovals: { percent: 50 } }", "/limits/memberRemovals", json!({ "count": 1000, "percent": 50 }))]
#[case("limits: { memberRemovalsPerGroup: { percent: 60 } }", "/limits/memberRemovalsPerGroup", json!({ "percent": 60, "minimumSize": 10 }))]
#[case("limits: { identifierChanges: { count: 1 } }", "/limits/identifierChanges", json!({ "count": 1, "percent": 5 }))]
#[case("limits: { disables: { percent: 50 } }", "/limits/disables", json!({ "count": 500, "percent": 50 }))]
#[case("limits: { quarantined: { count: 1 } }", "/limits/quarantined", json!({ "count": 1, "percent": 1 }))]
#[case("limits: { onExceed: HoldAll }", "/limits/userRemovals", json!({ "count": 100, "percent": 5 }))]
#[case("groups: { vanished: { do: Empty } }", "/groups/vanished", json!({ "after": "0s", "do": "Empty" }))]
#[case("groups: { vanished: { after: 1h } }", "/groups/vanished", json!({ "after": "1h", "do": "Delete" }))]
#[case("users: { where: \"user.title != ''\" }", "/users/leavers", json!([{ "after": "0s", "do": "Disable" }]))]
fn fills_in_each_leaf_by_itself(#[case] more: &str, #[case] at: &str, #[case] expected: Value) {
    let kept: Value = serde_json::from_str(&created(&policy(more)).exits(0).out).unwrap();
    assert_eq!(kept["spec"].pointer(at), Some(&expected));
}

#[rstest]
#[case("dirconn", "Where a directory is and how to reach it, and what was read there.")]
#[case("syncpol", "Which users and groups of a directory are synced to which target")]
#[case("dirconn.spec.ldap.urls", "tried in order")]
#[case("syncpol.spec.limits.userRemovals.percent", "The maximum share of the linked objects")]
#[case("syncpol.status.held.digest", "The digest, which an approval names")]
fn explains_itself(#[case] field: &str, #[case] words: &str) {
    Cluster::shared().kubectl(&["explain", field]).exits(0).says(words);
}

#[test]
fn an_object_that_nobody_has_looked_at_is_not_taken_for_one_that_is_as_it_should_be() {
    let namespace = Cluster::shared().namespace();
    namespace.apply(&ldap("").replace("namespace: default", "labels: {}"));
    namespace.apply(&policy("").replace("namespace: default", "labels: {}"));
    for (kind, name) in [("dirconn", "corp"), ("syncpol", "staff")] {
        let object = namespace.get(kind, name);
        assert_eq!(object["status"], json!({ "observedGeneration": -1 }), "{kind}");
        assert_eq!(kstatus(&object), "InProgress", "{kind}");
    }
}

#[test]
fn shows_what_matters_in_a_line() {
    let namespace = Cluster::shared().namespace();
    namespace.apply(&ldap("").replace("namespace: default", "labels: {}"));
    namespace.apply(&policy("").replace("namespace: default", "labels: {}"));
    let kinds = namespace.kubectl(&["get", "rollcall"]).exits(0);
    for column in ["NAME", "READY", "REASON", "USERS", "GROUPS", "LAST IMPORT", "LAST RUN", "AGE"] {
        assert!(kinds.out.contains(column), "{column} is not in\n{}", kinds.out);
    }
    let wide = namespace.kubectl(&["get", "syncpol", "-o", "wide"]).exits(0);
    for column in ["CONNECTOR", "MODE", "HELD", "NEXT RUN", "SUSPENDED"] {
        assert!(wide.out.contains(column), "{column} is not in\n{}", wide.out);
    }
}

/// Bounds in a schema are what keeps the cost of rules and of objects within bounds.
#[test]
fn every_list_and_text_has_a_bound() {
    for kind in ["directoryconnectors", "syncpolicies"] {
        let ran = Cluster::shared().kubectl(&[
            "get",
            "customresourcedefinition",
            &format!("{kind}.rollcall.dev"),
            "-o",
            "json",
        ]);
        let definition: Value = serde_json::from_str(&ran.exits(0).out).unwrap();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
        let mut without = Vec::new();
        for part in ["spec", "status"] {
            unbounded(&schema[part], part, &mut without);
        }
        assert_eq!(without, [""; 0], "{kind}");
    }
}

fn unbounded(schema: &Value, path: &str, found: &mut Vec<String>) {
    let bound = match schema["type"].as_str() {
        Some("array") => "maxItems",
        Some("string") if schema["enum"].is_null() && schema["format"].is_null() => "maxLength",
        Some("object") if schema["additionalProperties"].is_object() => "maxProperties",
        _ => "type",
    };
    if schema[bound].is_null() {
        found.push(path.to_owned());
    }
    // What a condition looks like is for Kubernetes to say.
    if path == "status.conditions" {
        return;
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        unbounded(field, &format!("{path}.{name}"), found);
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            unbounded(&schema[inner], &format!("{path}[]"), found);
        }
    }
}
