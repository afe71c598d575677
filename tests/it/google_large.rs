//! What a large customer of Google Workspace costs: `make google-large` has 100,000 users and a million memberships, every test run a
//! small part of that.

use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt as _;
use rollcall::clock::SystemClock;
use rollcall::directory::ConnectorName;
use rollcall::net::http::{Ask, Http, Url};
use rollcall::net::oauth::{Client, Credential, Tokens};
use serde_json::Value;

use crate::google::{all, config, source};
use crate::support::cli::Desk;
use crate::support::google::{Google, Made, SCOPES};
use crate::support::large::{Measured, Size, read};

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
                     locations,languages,isGuestUser";
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_customer_is_read_at_the_rate_at_which_it_is_served() {
    let size = Size::asked();
    let google = Google::start();
    google.inner().customer.made = Made { users: size.users, groups: size.groups, members: size.members };
    let thrower = Thrower::of(&google).await;
    let begun = Instant::now();
    let bytes = Box::pin(thrower.everything()).await;
    let served = begun.elapsed();
    google.asked();
    let (desk, connector) = (Desk::new(), ConnectorName::new("test", "google"));
    let (took, peak, store) = size.read_by_binary(&desk, all(&google), &connector).await;
    let first = google.asked().len();

    // And again, with nothing changed.
    let (again_in, again) = Box::pin(read(&source(&google, &[]), &store, &connector)).await;
    let second = google.asked().len();
    let more = format!("again without changes: {second} of {first} requests, {again_in:.1?}");
    size.judge(&Measured { served, bytes, took, peak }, &more);
    assert_eq!(again.changed, 0);
    assert!(second * 10 <= first * 6, "{second} of {first} requests");
}
