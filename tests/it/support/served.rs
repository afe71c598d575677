//! A registry that is served, without a cluster.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use jiff::Timestamp;
use litemap::LiteMap;
use rollcall::directory::{
    Anchor, Content, DirectoryId, GroupContent, Key, Operation, Outcome, Owner, TargetId, UserContent,
};
use rollcall::secret::Secret;
use rollcall::serve::{self, Served, Tls};
use rollcall::store::Store;
use rollcall::store::link::Subjects;
use rollcall::store::policy::Baseline;
use rollcall::target::Target as _;
use rollcall::target::registry::Registry;
use rollcall::telemetry::Metrics;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::web::{self, Answer};

pub(crate) const TOKEN: &str = "the token of staff";

/// A listener with a registry behind it; it ends when it is dropped.
pub(crate) struct House {
    pub(crate) address: SocketAddr,
    pub(crate) store: Store,
    pub(crate) served: Served,
    pub(crate) metrics: Metrics,
    pub(crate) stop: CancellationToken,
    pub(crate) serving: JoinHandle<std::io::Result<()>>,
    _folder: tempfile::TempDir,
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) fn staff() -> Owner {
    Owner::new("identity", "staff")
}

pub(crate) fn free() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0)).unwrap()
}

impl House {
    /// Serves an empty registry of `identity/staff`, whose first run has not ended.
    pub(crate) fn new(tls: Option<Tls>, external_url: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (served, metrics, stop) = (Served::default(), Metrics::new(), CancellationToken::new());
        served.serve(staff(), Secret::new(TOKEN));
        let listener = free();
        let address = listener.local_addr().unwrap();
        let registry = serve::Registry {
            store: store.clone(),
            served: served.clone(),
            metrics: metrics.clone(),
            external_url: external_url.map(str::to_owned),
        };
        let serving = tokio::spawn(serve::registry(listener, tls, registry, stop.clone()));
        Self { address, store, served, metrics, stop, serving, _folder: folder }
    }

    /// One with people and groups in it.
    pub(crate) async fn filled() -> Self {
        let house = Self::new(None, None);
        house.fill().await;
        house.complete(&staff());
        house
    }

    pub(crate) async fn fill(&self) {
        let ada =
            user("ada@corp.example", &[("givenName", "Ada"), ("department", "Verse"), ("title", "Countess")]);
        let bob = user("Bob@corp.example", &[("displayName", "Bob"), ("mobile", "+44 1")]);
        let ada = self.create("ada", ada).await;
        let bob = self.create("bob", bob).await;
        self.create("zoe", user("zoe@corp.example", &[])).await;
        let poets = self.create("poets", group("Poets", &[("mail", "poets@corp.example")])).await;
        let all = self.create("all", group("All", &[])).await;
        self.apply(Operation::AddMembers { group: poets.clone(), members: vec![ada] }).await;
        self.apply(Operation::AddMembers { group: all, members: vec![poets, bob.clone()] }).await;
        self.apply(Operation::SetActive { id: bob, active: false }).await;
    }

    pub(crate) async fn create(&self, name: &str, content: Content) -> TargetId {
        self.apply(Operation::Create { key: key(name), content: content.into() }).await
    }

    pub(crate) async fn apply(&self, operation: Operation) -> TargetId {
        match self.apply_all(&[operation]).await.remove(0) {
            Outcome::Done(id) => id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn apply_all(&self, operations: &[Operation]) -> Vec<Outcome> {
        Registry::new(self.store.clone(), staff()).apply(operations).await
    }

    /// Ends the first complete run of `owner`.
    pub(crate) fn complete(&self, owner: &Owner) {
        let place = self.store.place(owner, &format!("registry:{owner}")).unwrap();
        let baseline = Baseline::of(&Subjects::default(), Timestamp::UNIX_EPOCH);
        self.store.complete_run(place, baseline, None, Duration::from_hours(24)).unwrap();
    }

    /// GET within the policy's service, with its token.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, more: &[(&str, &str)], body: &str) -> Answer {
        let bearer = format!("Bearer {TOKEN}");
        let headers = [&[("Authorization", bearer.as_str())], more].concat();
        ask(self.address, method, &format!("/policies/identity/staff/scim/v2/{path}"), &headers, body).await
    }

    /// The names of those that a filter finds, in order.
    pub(crate) async fn found(&self, endpoint: &str, filter: &str) -> Vec<String> {
        let answer = self.get(&format!("{endpoint}?filter={}", web::quoted(filter))).await.is(200).json();
        names(&answer)
    }
}

/// Sends a request without keeping the listener from its work.
pub(crate) async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let (method, path, body) = (method.to_owned(), path.to_owned(), body.to_owned());
    let headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let asking = move || {
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        web::ask(address, &method, &path, &headers, &body)
    };
    tokio::task::spawn_blocking(asking).await.unwrap()
}

/// Of a list, each resource's userName or displayName.
pub(crate) fn names(list: &serde_json::Value) -> Vec<String> {
    let name = |one: &serde_json::Value| {
        let name = one.get("userName").or(one.get("displayName"));
        name.unwrap_or(&one["id"]).as_str().unwrap().to_owned()
    };
    list["Resources"].as_array().unwrap().iter().map(name).collect()
}

pub(crate) fn key(of: &str) -> Key {
    Key::new(&staff(), &DirectoryId::new("dc=test"), &Anchor::new(of))
}

pub(crate) fn user(name: &str, attributes: &[(&str, &str)]) -> Content {
    let emails = vec![name.to_owned(), format!("also-{name}")];
    Content::User(UserContent { user_name: name.to_owned(), emails, attributes: map(attributes) })
}

pub(crate) fn group(name: &str, attributes: &[(&str, &str)]) -> Content {
    Content::Group(GroupContent { display_name: name.to_owned(), attributes: map(attributes) })
}

fn map(pairs: &[(&str, &str)]) -> LiteMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
