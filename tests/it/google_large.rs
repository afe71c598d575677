//! What a large customer of Google Workspace costs: `make google-large` has 100,000 users and a million memberships, every test run a
//! small part of that.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use rollcall::clock::SystemClock;
use rollcall::directory::ConnectorName;
use rollcall::net::http::{Ask, Http, Url};
use rollcall::net::oauth::{Client, Credential, Tokens};
use rollcall::store::Store;
use rollcall::sync::import::{Options, import};
use serde_json::Value;

use crate::google::{all, config, source};
use crate::support::cli::{Desk, Ran};
use crate::support::faults::{count, tell};
use crate::support::google::{Google, Made, SCOPES};

/// From so many users on the bounds hold; below, what begins and ends a read weighs too much.
const LARGE: u64 = 100_000;
/// The import may take so much memory, in KiB.
const PEAK: u64 = 100 << 10;
/// As many lists of members at a time as the connector asks for.
const AT_ONCE: usize = 8;

/// Who asks as the connector does, and throws everything away.
struct Thrower {
    http: Http,
    token: Vec<u8>,
    url: String,
}

impl Thrower {
    async fn of(google: &Google) -> Self {
        let http = Http::new(Some(google.ca.as_bytes())).unwrap();
        let config = config(google, &[]);
        let client = Client {
            endpoint: format!("{}/token", google.url()).parse().unwrap(),
            id: config.account,
            scope: SCOPES.join(" "),
            credential: Credential::Account(Box::new(config.credential)),
        };
        let tokens = Tokens::new(http.clone(), client, Arc::new(SystemClock));
        let token = tokens.token().await.unwrap().expose().to_vec();
        Self { http, token, url: google.url() }
    }

    /// All pages of a list; how many bytes came, and the ids where they are wanted.
    async fn list(&self, path: &str, query: &str, ids: &mut Option<Vec<String>>) -> usize {
        let (mut bytes, mut next) = (0, String::new());
        loop {
            let url = format!("{}/admin/directory/v1/{path}?{query}{next}", self.url);
            let ask = Ask::get(Url::parse(&url).unwrap()).bearer(&self.token).unwrap();
            let answer = self.http.ask(ask, 64 << 20).await.unwrap();
            assert_eq!(answer.status, 200);
            bytes += answer.body.len();
            if let Some(ids) = ids {
                let page: Value = serde_json::from_slice(&answer.body).unwrap();
                ids.extend(
                    page["groups"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()),
                );
            }
            // The token of the next page comes last but the list itself, as the names are in order.
            let text = String::from_utf8_lossy(&answer.body);
            let token = text.split_once("\"nextPageToken\":\"").and_then(|(_, rest)| rest.split_once('"'));
            let Some((token, _)) = token else { return bytes };
            next = format!("&pageToken={token}");
        }
    }

    async fn everything(&self) -> usize {
        let whose = "customer=my_customer&maxResults";
        let users = "id,primaryEmail,customerId,name,suspended,archived,aliases,nonEditableAliases,organizations,phones,externalIds,\
                     locations,languages";
        let query = format!("{whose}=500&fields=kind,nextPageToken,users({users})");
        let mut bytes = self.list("users", &query, &mut None).await;
        let query = format!(
            "{whose}=200&fields=kind,nextPageToken,groups(id,email,name,description,directMembersCount,etag)"
        );
        let mut ids = Some(Vec::new());
        bytes += self.list("groups", &query, &mut ids).await;
        let query = "maxResults=200&fields=kind,nextPageToken,members(id,type)";
        let asked = ids
            .unwrap()
            .into_iter()
            .map(async |id| self.list(&format!("groups/{id}/members"), query, &mut None).await);
        let members: usize =
            futures::stream::iter(asked).buffer_unordered(AT_ONCE).fold(0, async |sum, it| sum + it).await;
        bytes + members
    }
}

fn options() -> Options {
    Options {
        look_ups: Options::LOOK_UPS,
        timeout: Duration::from_hours(1),
        full_read_every: Duration::from_hours(24),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_customer_is_read_at_the_rate_at_which_it_is_served() {
    let users = count("PEOPLE", 2_000);
    let made = Made {
        users: u32::try_from(users).unwrap(),
        groups: u32::try_from(users / 20).unwrap(),
        members: 200,
    };
    let google = Google::start();
    google.inner().customer.made = made;
    let thrower = Thrower::of(&google).await;
    let begun = Instant::now();
    let bytes = Box::pin(thrower.everything()).await;
    let served = begun.elapsed();

    // A policy that rests: what is measured is the import.
    let desk = Desk::new();
    desk.write("manifests.yaml", all(&google) + "  suspend: true\n");
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
    let connector = ConnectorName::new("test", "google");
    let info = Store::open(&data).unwrap().snapshot_info(&connector).unwrap().unwrap();
    assert_eq!((info.users, info.groups), (users + 1, users / 20));

    // Beside nothing else, into a store of its own; and again, with nothing changed.
    let folder = tempfile::tempdir().unwrap();
    let (store, name) = (Store::open(folder.path()).unwrap(), ConnectorName::new("test", "timed"));
    let source = source(&google, &[]);
    google.asked();
    let read = async || {
        let begun = Instant::now();
        let imported = import(&source, &store, &name, options(), &SystemClock, |_| {}).await.unwrap();
        (begun.elapsed(), google.asked().len(), imported.changed)
    };
    let (took, first, _) = Box::pin(read()).await;
    let (again_in, second, changed) = Box::pin(read()).await;
    let rate = served.as_secs_f64() / took.as_secs_f64();
    tell(format_args!(
        "{users} users, {} memberships, {} MB: served in {served:.1?}, read in {took:.1?} ({:.0} %), peak {} MB; again without changes: \
         {second} of {first} requests, {again_in:.1?}",
        users / 20 * 200,
        bytes >> 20,
        rate * 100.0,
        peak >> 10,
    ));
    assert_eq!(changed, 0);
    assert!(second * 10 <= first * 6, "{second} of {first} requests");
    if users >= LARGE {
        assert!(peak <= PEAK, "the import took {peak} KiB");
        assert!(rate >= 0.9, "{rate}");
    }
}
