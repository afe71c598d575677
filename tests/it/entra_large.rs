//! What a large tenant of Microsoft Entra ID costs: `make entra-large` has 100,000 users and a million memberships, every test run
//! a small part of that.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use rollcall::clock::SystemClock;
use rollcall::directory::ConnectorName;
use rollcall::net::http::{Ask, Http, Url};
use rollcall::store::Store;
use rollcall::sync::import::{Options, import};
use serde_json::json;

use crate::entra::{by_secret, manifests};
use crate::support::cli::{Desk, Ran};
use crate::support::entra::{Entra, Made};
use crate::support::faults::{count, tell};

/// From so many users on the bounds hold; below, what begins and ends a read weighs too much.
const LARGE: u64 = 100_000;
/// The import may take so much memory, in KiB.
const PEAK: u64 = 100 << 10;

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
    let users = count("PEOPLE", 2_000);
    let made = Made {
        users: u32::try_from(users).unwrap(),
        groups: u32::try_from(users / 20).unwrap(),
        members: 200,
    };
    let entra = Entra::start();
    let ann = {
        let tenant = &mut entra.inner().tenant;
        (tenant.made, tenant.page, tenant.slice) = (made, 200, 200);
        tenant.user("ann", &json!({}))
    };
    let (served, bytes) = thrown_away(&entra).await;

    // A policy that rests: what is measured is the import.
    let desk = Desk::new();
    desk.write("manifests.yaml", manifests(&entra, "") + "  suspend: true\n");
    let (manifests, data) = (desk.path("manifests.yaml"), desk.path("data"));
    let binary =
        std::env::var("ROLLCALL_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_rollcall").to_owned());
    let mut command = Command::new("/usr/bin/time");
    command.args(["-f", "peak %M", &binary, "sync", "-f", manifests.to_str().unwrap()]);
    command.args(["--data", data.to_str().unwrap()]);
    let ran = tokio::task::spawn_blocking(move || Ran::of(&command.output().unwrap())).await.unwrap();
    let ran = ran.exits(0);
    let peak: u64 =
        ran.err.lines().rev().find_map(|line| line.strip_prefix("peak ")).unwrap().parse().unwrap();

    let store = Store::open(&data).unwrap();
    let connector = ConnectorName::new("test", "entra");
    let info = store.snapshot_info(&connector).unwrap().unwrap();
    assert_eq!((info.users, info.groups), (users + 1, users / 20));
    let took = read_took(&entra).await;

    entra.inner().tenant.set(ann, &json!({ "jobTitle": "Clerk" }));
    entra.asked();
    let options = Options {
        look_ups: Options::LOOK_UPS,
        timeout: Duration::from_mins(5),
        full_read_every: Duration::from_hours(24),
    };
    let source = by_secret(&entra, &[]);
    let begun = Instant::now();
    let imported = import(&source, &store, &connector, options, &SystemClock, |_| {}).await.unwrap();
    let (changed_in, asked) = (begun.elapsed(), entra.asked().len());
    assert_eq!((imported.changed, asked), (1, 3), "a token, and one request for each feed");

    let rate = served.as_secs_f64() / took.as_secs_f64();
    tell(format_args!(
        "{users} users, {} memberships, {} MB: served in {served:.1?}, read in {took:.1?} ({:.0} %), peak {} MB; one changed \
         person: {asked} requests, {changed_in:.1?}",
        users / 20 * 200,
        bytes >> 20,
        rate * 100.0,
        peak >> 10,
    ));
    if users >= LARGE {
        assert!(peak <= PEAK, "the import took {peak} KiB");
        assert!(rate >= 0.9, "{rate}");
        assert!(changed_in <= Duration::from_millis(150), "{changed_in:?}");
    }
}

/// How long a read of everything takes, into a store of its own, beside nothing else.
async fn read_took(entra: &Entra) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let options = Options {
        look_ups: Options::LOOK_UPS,
        timeout: Duration::from_hours(1),
        full_read_every: Duration::from_hours(24),
    };
    let (source, name) = (by_secret(entra, &[]), ConnectorName::new("test", "timed"));
    let begun = Instant::now();
    import(&source, &store, &name, options, &SystemClock, |_| {}).await.unwrap();
    begun.elapsed()
}
