//! `rollcall import-settings mimecast`: what a tenant is set to do, in manifests that do the same.

use serde_json::json;

use crate::support::cli::{Desk, Ran, rollcall};
use crate::support::mimecast::{CLIENT, Habits, StandIn};

fn import(service: &StandIn) -> (Desk, Ran) {
    let desk = Desk::new();
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: mimecast, namespace: mail }}\n\
         stringData: {{ client-id: {}, client-secret: {} }}\n",
        CLIENT.0, CLIENT.1
    );
    let (secret, ca) = (desk.write("secret.yaml", secret), desk.write("ca.pem", &service.https.ca));
    let url = service.https.url();
    let (secret, ca) = (secret.display().to_string(), ca.display().to_string());
    let ran = rollcall(&["import-settings", "mimecast", "-f", &secret, "--url", &url, "--ca-file", &ca]);
    (desk, ran)
}

#[test]
fn what_is_set_there_is_written_for_us() {
    let service = StandIn::start(Habits::default());
    {
        let tenant = &mut service.inner().tenant;
        tenant.connections = vec![
            json!({
                "id": "1", "description": "HQ domain", "info": "All of Leeds", "serverType": "active_directory", "enabled": true,
                "domains": ["corp.example"], "acknowledgeDisabledAccounts": true, "maxUnlink": "unlink_100", "syncContacts": true,
                "ldapSettings": { "hostname": "dc1.corp.example", "port": 636, "rootDn": "DC=corp,DC=example", "userDn": "CN=svc,DC=corp,DC=example", "encryptionMode": "strict" },
            }),
            json!({
                "id": "2", "description": "HQ domain", "serverType": "ad_push", "enabled": false, "maxUnlink": "unlimited", "deleteUsers": true,
                "adPushSettings": { "hostname": "dc9.old.example", "port": 389, "rootDn": "DC=old", "userDn": "svc" },
                "acknowledgeDisabledAccounts": false,
            }),
            json!({
                "id": "3", "description": "Cloud", "serverType": "office_365", "enabled": true, "syncGuestUsers": true, "maxUnlink": 1000,
                "office365Settings": { "tenantDomain": "corp.onmicrosoft.com", "clientId": "x" },
            }),
            json!({
                "id": "4", "description": "Notes", "serverType": "domino", "enabled": true,
                "ldapSettings": { "hostname": "notes.corp.example", "port": 389, "rootDn": "", "userDn": "admin", "encryptionMode": "none" },
            }),
        ];
        tenant.integrations = vec![json!({ "id": "1" }), json!({ "id": "5" })];
        tenant.details.insert(
            "active-directory/1".to_owned(),
            json!({
                "description": "HQ domain", "info": "All of Leeds", "enabled": true, "hostname": "dc1.corp.example",
                "alternateHostname": "dc2.corp.example", "port": 636, "userDn": "CN=svc,DC=corp,DC=example", "rootDn": "DC=corp,DC=example",
                "encryptionMode": "relaxed", "maxUnlink": 100, "domains": ["corp.example"], "syncContacts": true,
                "acknowledgeDisabledAccounts": true, "deleteUsers": false,
            }),
        );
        tenant.details.insert(
            "google/5".to_owned(),
            json!({ "description": "Workspace", "enabled": true, "user": "admin@corp.example" }),
        );
    }
    let (desk, ran) = import(&service);
    let ran = ran.exits(0);
    for says in [
        "- ldaps://dc1.corp.example:636",
        "- ldaps://dc2.corp.example:636",
        "name: hq-domain-reader",
        "contacts: Include",
        "count: 100\n",
        "name: hq-domain-2",
        "# The integration was disabled, so the policy is suspended.",
        "suspend: true",
        "count: 1000000000",
        "disabled: Ignore",
        "- ldap://dc9.old.example:389",
        "startTLS: true",
        "tenantID: corp.onmicrosoft.com",
        "count: 1000\n",
        "# Guests were synced.",
        "insecure: true",
        "# A Google Workspace directory",
        "tls.caRef",
        "mode: Preview",
        "- 0 23 * * *",
        "name: mimecast",
    ] {
        assert!(ran.out.contains(says), "{says:?} is not in\n{}", ran.out);
    }
    assert!(!ran.out.contains(CLIENT.1) && !ran.out.contains(CLIENT.0));
    let written = desk.write("written.yaml", &ran.out);
    rollcall(&["validate", "-f", written.to_str().unwrap()]).exits(0);
    // It read, and changed nothing.
    let writes = ["update-", "create-", "delete-", "add-", "remove-"];
    assert!(writes.iter().all(|write| service.count(write) == 0));
}

#[test]
fn what_cannot_be_read_is_said() {
    let service = StandIn::start(Habits { denied: Some("Directories | Groups | Read"), ..Habits::default() });
    let (_desk, ran) = import(&service);
    ran.exits(1).says("Services | Directory Sync | Read");
    let service = StandIn::start(Habits::default());
    let (_desk, ran) = import(&service);
    ran.exits(0).says("The tenant has no directory integration");
    let desk = Desk::new();
    let none = desk.write(
        "none.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: { name: x, namespace: y }\nstringData: { a: b }\n",
    );
    rollcall(&["import-settings", "mimecast", "-f", none.to_str().unwrap()]).exits(2).says("no such Secret");
}
