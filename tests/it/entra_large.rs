//! What a large tenant of Microsoft Entra ID costs: `make entra-large` has 100,000 users and a million memberships, every test run
//! a small part of that.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rollcall::directory::ConnectorName;
use rollcall::net::http::{Ask, Http, Url};
use serde_json::json;

use crate::entra::{by_secret, manifests};
use crate::support::cli::Desk;
use crate::support::entra::{Entra, Made};
use crate::support::large::{Measured, Size, read};

/// Reads everything that the two feeds serve, and throws it away. Returns how long that took, and how many bytes came.
async fn thrown_away(entra: &Entra) -> (Duration, usize) {
    let http = Http::new(Some(entra.ca.as_bytes())).unwrap();
    let (token, client, secret) = {
        let inner = entra.inner();
        let token = format!("{}/{}/oauth2/v2.0/token", inner.authority, inner.tenant.id);
        (token, inner.app.id.to_string(), inner.app.secret.clone())
    };
    let scope = format!("{}/.default", entra.url());
    let fields = [
        ("client_id", client.as_str()),
        ("scope", &scope),
        ("grant_type", "client_credentials"),
        ("client_secret", &secret),
    ];
    let answer = http.ask(Ask::form(Url::parse(&token).unwrap(), fields), 1 << 20).await.unwrap();
    let issued: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&answer.body).unwrap();
    let token = issued["access_token"].as_str().unwrap().as_bytes().to_vec();
    let (begun, mut bytes) = (Instant::now(), 0);
    let selects = [
        "users/delta?$select=id,displayName,givenName,surname,department,accountEnabled,userType,mail,proxyAddresses,userPrincipalName",
        "groups/delta?$select=id,displayName,mail,proxyAddresses,visibility,members",
    ];
    for select in selects {
        let mut next = Some(format!("{}/v1.0/{select}", entra.url()));
        while let Some(url) = next {
            let ask = Ask::get(Url::parse(&url).unwrap()).bearer(&token).unwrap();
            let answer = http.ask(ask, 64 << 20).await.unwrap();
            assert_eq!(answer.status, 200);
            bytes += answer.body.len();
            // The links come first, as the names are in order.
            let head = String::from_utf8_lossy(&answer.body[..answer.body.len().min(2000)]).into_owned();
            let link = head.split_once("\"@odata.nextLink\":\"").and_then(|(_, rest)| rest.split_once('"'));
            next = link.map(|(link, _)| link.to_owned());
        }
    }
    (begun.elapsed(), bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_tenant_is_read_at_the_rate_at_which_it_is_served() {
    let size = Size::asked();
    let entra = Entra::start();
    let ann = {
        let tenant = &mut entra.inner().tenant;
        tenant.made = Made { users: size.users, groups: size.groups, members: size.members };
        (tenant.page, tenant.slice) = (200, 200);
        tenant.user("ann", &json!({}))
    };
    let (served, bytes) = thrown_away(&entra).await;
    let (desk, connector) = (Desk::new(), ConnectorName::new("test", "entra"));
    let (took, peak, store) = size.read_by_binary(&desk, manifests(&entra, ""), &connector).await;

    entra.inner().tenant.set(ann, &json!({ "jobTitle": "Clerk" }));
    entra.asked();
    let (changed_in, imported) = Box::pin(read(&by_secret(&entra, &[]), &store, &connector)).await;
    let asked = entra.asked().len();
    assert_eq!((imported.changed, asked), (1, 3), "a token, and one request for each feed");
    let more = format!("one changed person: {asked} requests, {changed_in:.1?}");
    size.judge(&Measured { served, bytes, took, peak }, &more);
    assert!(!size.is_large() || changed_in <= Duration::from_millis(150), "{changed_in:?}");
}
