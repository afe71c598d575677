//! From directory integrations of Mimecast to manifests. Pure.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};

use crate::target::mimecast::{Integration, IntegrationKind as Kind, Most};
use crate::text::clean;

/// Where the manifests are to be, and how Mimecast is reached.
pub(super) struct Place<'a> {
    pub(super) namespace: &'a str,
    /// The Secret with the API application.
    pub(super) secret: &'a str,
    pub(super) url: &'a str,
}

/// A bound that nothing reaches.
const NO_LIMIT: u64 = 1_000_000_000;

/// The manifests of all of them, with what is otherwise as comments.
pub(super) fn manifests(all: &[Integration], place: &Place<'_>) -> Result<String> {
    let mut text = String::from(
        "# Written by rollcall import-settings mimecast. Secrets are named and not written: Mimecast tells no passwords.\n\
         # The policies are in Preview: compare what they would do, then set mode: Apply and disable the integrations of Mimecast.\n\
         # Two of them must not write the same users: as long as an integration is enabled, it undoes what a policy does.\n",
    );
    if all.is_empty() {
        text += "# The tenant has no directory integration.\n";
    }
    let mut names = BTreeSet::new();
    for one in all {
        let name = name(&one.description, &mut names);
        let mut notes = vec![format!("From the integration {:?}.", one.description)];
        if !one.info.is_empty() {
            notes.push(one.info.clone());
        }
        let connector = connector(one, &name, &mut notes);
        let policy = policy(one, place, &mut notes);
        text += "---\n";
        for note in &notes {
            for line in clean(note).lines() {
                writeln!(text, "# {line}")?;
            }
        }
        let Some(connector) = connector else { continue };
        let object = |kind: &str, spec: &Value| {
            json!({
                "apiVersion": "rollcall.dev/v1alpha1",
                "kind": kind,
                "metadata": { "name": name, "namespace": place.namespace },
                "spec": spec,
            })
        };
        let mut policy = policy;
        policy["connectors"] = json!([{ "name": name }]);
        text += &serde_yaml::to_string(&object("DirectoryConnector", &connector))?;
        text += "---\n";
        text += &serde_yaml::to_string(&object("SyncPolicy", &policy))?;
    }
    Ok(text)
}

/// A name that Kubernetes takes and no other one has.
fn name(description: &str, names: &mut BTreeSet<String>) -> String {
    let signs = description.to_lowercase();
    let signs = signs.chars().map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '-' });
    let mut name = signs.collect::<String>();
    while name.contains("--") {
        name = name.replace("--", "-");
    }
    let name: String = name.trim_matches('-').chars().take(50).collect();
    let name = name.trim_matches('-');
    let name = if name.is_empty() { "directory" } else { name };
    let mut unique = name.to_owned();
    let mut number = 2;
    while !names.insert(unique.clone()) {
        unique = format!("{name}-{number}");
        number += 1;
    }
    unique
}

fn connector(one: &Integration, name: &str, notes: &mut Vec<String>) -> Option<Value> {
    match &one.kind {
        Kind::ActiveDirectory | Kind::SyncEngine => {
            if one.kind == Kind::SyncEngine {
                notes.push("The Synchronization Engine is not needed: Rollcall reads the domain itself, from within the network.".to_owned());
            }
            Some(json!({ "activeDirectory": ldap(one, name, notes) }))
        }
        Kind::Domino => {
            let mut spec = ldap(one, name, notes);
            // Groups have flat names, which are below no organization.
            if let Some(fields) = spec.as_object_mut()
                && fields.remove("baseDNs").is_some()
            {
                notes.push(format!(
                    "Everything is read, and not only what is below {:?}: groups are below nothing.",
                    one.root_dn
                ));
            }
            Some(json!({ "domino": spec }))
        }
        Kind::EntraId => {
            let (tenant, is_government) = one.tenant.clone().unwrap_or_default();
            if tenant.is_empty() {
                notes.push(
                    "Mimecast tells no tenant: write its ID or one of its domains to tenantID.".to_owned(),
                );
            }
            notes.push(format!(
                "Mimecast reads by an app of its own. Make one (docs/directories/entra-id.md), write its ID to clientID, and its client \
                 secret to the Secret {name}-app under the key client-secret."
            ));
            let tenant = if tenant.is_empty() { "REPLACE-ME".to_owned() } else { tenant };
            let mut spec = json!({
                "tenantID": tenant,
                "clientID": "00000000-0000-0000-0000-000000000000",
                "credentials": { "clientSecretRef": { "name": format!("{name}-app"), "key": "client-secret" } },
            });
            if is_government {
                spec["cloud"] = "UsGovGccHigh".into();
            }
            if one.contacts == Some(true) {
                spec["contacts"] = "Include".into();
            }
            Some(json!({ "entraId": spec }))
        }
        Kind::Google => {
            notes.push(format!(
                "Write the JSON file of the service account's key to the Secret {name}-key under the key key.json."
            ));
            if one.admin.is_empty() {
                notes.push(
                    "Mimecast tells no administrator: write the address of one to adminEmail.".to_owned(),
                );
            }
            let admin = if one.admin.is_empty() { "replace-me@replace-me.invalid" } else { &one.admin };
            Some(json!({ "googleWorkspace": {
                "adminEmail": admin,
                "credentials": { "serviceAccountKeyRef": { "name": format!("{name}-key"), "key": "key.json" } },
            } }))
        }
        Kind::Other(kind) => {
            notes.push(format!("Rollcall knows no kind of directory that Mimecast calls {kind:?}."));
            None
        }
    }
}

fn ldap(one: &Integration, name: &str, notes: &mut Vec<String>) -> Value {
    let port = one.port.unwrap_or(if one.encryption == "none" { 389 } else { 636 });
    // On the port of LDAPS it is secure from the first byte on, on others by StartTLS.
    let is_plain = one.encryption == "none";
    let scheme = if port == 636 { "ldaps" } else { "ldap" };
    let hosts: Vec<String> = one.hosts.iter().map(|host| format!("{scheme}://{host}:{port}")).collect();
    if hosts.is_empty() {
        notes.push("Mimecast tells no server: write the addresses of the directory to urls.".to_owned());
    }
    let urls = if hosts.is_empty() { vec!["ldaps://replace-me.invalid".to_owned()] } else { hosts };
    notes.push(format!(
        "The Secret {name}-reader of type kubernetes.io/basic-auth has the username {:?} and its password.",
        one.user_dn
    ));
    match one.encryption.as_str() {
        "none" if scheme == "ldap" => {
            notes.push("Without encryption, as it was: passwords and people cross the network as clear text. Better: startTLS: true.".to_owned());
        }
        "relaxed" => notes.push(
            "The encryption was relaxed, and Rollcall always verifies certificates: name the authority of the directory in tls.caRef.".to_owned(),
        ),
        _ => {}
    }
    let mut spec = json!({ "urls": urls, "credentialsSecretRef": { "name": format!("{name}-reader") } });
    if scheme == "ldap" {
        spec[if is_plain { "insecure" } else { "startTLS" }] = true.into();
    }
    if !one.root_dn.is_empty() {
        spec["baseDNs"] = json!([one.root_dn]);
    }
    spec
}

fn policy(one: &Integration, place: &Place<'_>, notes: &mut Vec<String>) -> Value {
    let mut users = json!({ "leavers": [{ "after": "0s", "do": "Disable" }] });
    if !one.domains.is_empty() {
        users["emailDomains"] = json!(one.domains);
    }
    if one.contacts == Some(true) {
        users["contacts"] = "Include".into();
    }
    if one.acknowledges_disabled == Some(false) {
        users["disabled"] = "Ignore".into();
        notes.push(
            "Disabled accounts of the directory stay enabled, as they were. Better: users.disabled: Disable."
                .to_owned(),
        );
    }
    match one.deletes_users {
        Some(true) => notes.push("Users who vanish were deleted. The API deletes none: they are disabled, and can be deleted in the console.".to_owned()),
        _ => notes.push("Users who vanish stayed, as addresses of another type. They are disabled now.".to_owned()),
    }
    match (&one.kind, one.guests) {
        (_, Some(true)) => notes.push("Guests were synced. Check in the preview which of them have an address of an internal domain: only those are users.".to_owned()),
        (Kind::EntraId, Some(false)) => {
            users["where"] = "user.attributes['userType'] != 'Guest'".into();
        }
        _ => {}
    }
    let count = match one.most_unlinked {
        Some(Most::Number(number)) => number,
        Some(Most::Unlimited) => NO_LIMIT,
        None => 10,
    };
    let mut target = json!({ "credentialsSecretRef": { "name": place.secret } });
    if place.url != "https://api.services.mimecast.com" {
        target["url"] = place.url.into();
    }
    let mut policy = json!({
        "target": { "mimecast": target },
        "mode": "Preview",
        "schedule": { "cron": ["0 8 * * *", "0 13 * * *", "0 23 * * *"] },
        "users": users,
        "limits": { "userRemovals": { "count": count, "percent": 100 } },
    });
    if !one.enabled {
        policy["suspend"] = true.into();
        notes.push("The integration was disabled, so the policy is suspended.".to_owned());
    }
    policy
}
