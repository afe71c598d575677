//! The registry over SCIM 2.0 (RFC 7643, RFC 7644), read-only: the registry of each policy is a service of its own,
//! under `/policies/{namespace}/{name}/scim/v2`.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, Request, Uri, header};
use axum::response::Response;
use axum::routing::any;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use self::answer::Answer;
use self::ask::Ask;
use self::read::Reader;
use self::route::{Discovery, Route};
use self::turn::{Bounds, Turns};
use super::listen::{Admitted, listen};
use super::served::Caller;
use super::share::{self, Shares};
use super::{Served, Tls};
use crate::directory::Owner;
use crate::scim::Failure;
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;

mod answer;
mod ask;
mod discovery;
mod failure;
mod read;
mod route;
mod turn;

use failure::{busy, unreadable};

/// The largest body of a search.
const BODY: usize = 64 * 1024;
/// A request is answered within so long, or not at all.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many requests read the store at once, and of one policy; the others wait for their turn, within their time.
const TURNS: Bounds = Bounds { reads: 8, of_policy: 2, waiting: 32 };
/// So much may be under way until the readers have taken their answers.
const SHARES: share::Bounds = share::Bounds { requests: 64, bytes: 64 << 20, bytes_of_all: 256 << 20 };

/// The registry service and its readers.
#[derive(Clone, Debug)]
pub struct Registry {
    /// Where the registry is.
    pub store: Store,
    /// Whose parts are served, and by which tokens.
    pub served: Served,
    /// Counts requests.
    pub metrics: Metrics,
    /// How readers reach the listener, if that is not how it sees itself (`https://scim.corp.example`): behind
    /// a proxy that ends TLS, `meta.location` would be wrong without it.
    pub external_url: Option<String>,
}

/// One listener's share.
struct Shared {
    registry: Registry,
    scheme: &'static str,
    turns: Turns,
    shares: Shares,
}

/// Serves the registry on `listener`, with TLS if there is a certificate. Ends after `stop`.
///
/// # Errors
/// When the listener fails.
pub async fn registry(
    listener: TcpListener,
    tls: Option<Tls>,
    registry: Registry,
    stop: CancellationToken,
) -> io::Result<()> {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let shared = Arc::new(Shared { registry, scheme, turns: Turns::new(TURNS), shares: Shares::new(SHARES) });
    let router = Router::new()
        .route("/policies/{namespace}/{name}/scim/v2/{*path}", any(answer_one))
        .fallback(elsewhere)
        .with_state(shared);
    listen(listener, tls, router, stop).await
}

async fn answer_one(
    State(shared): State<Arc<Shared>>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    request: Request<Body>,
) -> Response {
    // What is no text names no policy either.
    let Ok(Path((namespace, name, path))) = path else { return elsewhere(State(shared)).await };
    let owner = Owner::new(&namespace, &name);
    // Which requests there are is nobody's business either who has no right to ask.
    if let Err(failure) = shared.admit(&owner, request.headers()) {
        return respond(&shared, Answer::failure(&failure), route::allowed(&path));
    }
    let mut share = shared.shares.take(&owner);
    let answer = match &mut share {
        Some(share) => {
            let answering = shared.answer(owner.clone(), &namespace, &name, &path, request);
            let answer = tokio::time::timeout(PATIENCE, answering).await;
            let answer = answer.unwrap_or_else(|_| Err(busy("the request took too long")));
            answer.and_then(|answer| {
                let why = "the readers of this registry have not yet received their earlier answers";
                if share.weigh(answer.size()) { Ok(answer) } else { Err(busy(why)) }
            })
        }
        None => Err(busy("too many requests for this registry are in progress")),
    };
    let answer = answer.unwrap_or_else(|failure| Answer::failure(&failure));
    let mut response = respond(&shared, answer, route::allowed(&path));
    response.extensions_mut().insert(Admitted { owner, share: share.map(Arc::new) });
    response
}

/// Nothing is said of any policy where no policy is named, and nothing of anybody: readers take 404 for that.
async fn elsewhere(State(shared): State<Arc<Shared>>) -> Response {
    let why = "there is nothing at this URL; a registry is at /policies/NAMESPACE/NAME/scim/v2/Users";
    respond(&shared, Answer::failure(&Failure::new(400, why)), "")
}

fn respond(shared: &Shared, answer: Answer, allowed: &'static str) -> Response {
    let response = answer.response(allowed);
    shared.registry.metrics.scim_request(response.status().as_u16());
    response
}

impl Shared {
    async fn answer(
        &self,
        owner: Owner,
        namespace: &str,
        name: &str,
        path: &str,
        request: Request<Body>,
    ) -> Result<Answer, Failure> {
        let (head, body) = request.into_parts();
        let route = Route::of(&head.method, path)?;
        let base = format!("{}/policies/{namespace}/{name}/scim/v2", self.origin(&head.headers)?);
        let unchanged = head.headers.get(header::IF_NONE_MATCH).cloned();
        let answer = match route {
            Route::Discovery(what) => discover(what, &base, &head.uri)?,
            Route::One(kind, id) => {
                let ask = Ask::of_query(&head.uri)?;
                let projection = ask.projection(&[kind])?;
                self.read(owner, base, move |reader| reader.one(kind, &id, &projection)).await?
            }
            Route::Some(kinds) => {
                let ask = if head.method == Method::POST {
                    Ask::of_body(&body_of(body).await?)?
                } else {
                    Ask::of_query(&head.uri)?
                };
                let list = ask.list(&kinds)?;
                self.read(owner, base, move |reader| reader.list(&kinds, &list)).await?
            }
        };
        Ok(answer.unless_unchanged(unchanged.as_ref()))
    }

    /// Lets in whoever bears the policy's token.
    ///
    /// Which policies there are is nobody's business who cannot prove to be a reader of one: without a token
    /// that we gave, a policy that is served and one that is not (or no longer, or never was) are the same
    /// 401. Whoever does bear a token, of another policy, is told 403 by both. So neither answer tells names.
    ///
    /// Only the registry itself says 404 of a person: readers take that for "removed".
    fn admit(&self, owner: &Owner, headers: &HeaderMap) -> Result<(), Failure> {
        let given = headers.get(header::AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
        let token = match given.split_at_checked(7) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => token.trim_ascii(),
            _ => b"",
        };
        match self.registry.served.who(owner, token) {
            Caller::Reader => Ok(()),
            Caller::Early => {
                Err(busy("the policy of this registry was not processed yet, is invalid, or has no token"))
            }
            Caller::Unknown => Err(busy("the operator does not know every token of this namespace yet")),
            Caller::Late => Err(Failure::new(
                410,
                "the policy of this registry was deleted, and its registry is no longer served; this says nothing \
                 about the users who were in it",
            )),
            Caller::Other => Err(Failure::new(
                403,
                "there is no registry of this policy for this token; check the namespace and the name in the URL",
            )),
            Caller::Invalid => Err(Failure::new(
                401,
                "the registry needs the policy's token: send `Authorization: Bearer …` with the token of the Secret \
                 that spec.target.registry.tokenSecretRef names, and check the URL",
            )),
        }
    }

    /// How the reader reached us.
    fn origin(&self, headers: &HeaderMap) -> Result<String, Failure> {
        if let Some(url) = &self.registry.external_url {
            return Ok(url.trim_end_matches('/').to_owned());
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let is_host = |sign: char| sign.is_ascii_alphanumeric() || ".-_:[]".contains(sign);
        match host {
            Some(host) if !host.is_empty() && host.chars().all(is_host) => {
                Ok(format!("{}://{host}", self.scheme))
            }
            _ => Err(Failure::bad("invalidSyntax", "the request has no usable Host header")),
        }
    }

    /// Reads the store, where that may block.
    async fn read(
        &self,
        owner: Owner,
        base: String,
        read: impl FnOnce(&Reader<'_, '_>) -> Result<Answer, Failure> + Send + 'static,
    ) -> Result<Answer, Failure> {
        if self.registry.served.is_outdated(&owner) {
            return Err(busy("the registry is older than before, until a complete run has rebuilt it"));
        }
        let Some(turn) = self.turns.take(&owner).await else {
            return Err(busy("too many requests for this registry are waiting"));
        };
        let store = self.registry.store.clone();
        let unwanted = CancellationToken::new();
        // Whoever has gone, or waited too long, wants nothing any more.
        let _ends = unwanted.clone().drop_guard();
        let work = move || {
            // Held by the work itself, which ends soon once nobody wants it.
            let _turn = turn;
            if unwanted.is_cancelled() {
                return Ok(None);
            }
            let answer = store.read_registry(&owner, |part| {
                let is_complete = part.is_complete()?;
                Ok::<_, StoreError>(is_complete.then(|| read(&Reader::new(part, &base, &unwanted))))
            });
            answer.map(Option::flatten)
        };
        match spawn_blocking(work).await {
            Ok(Ok(Some(answer))) => answer,
            // An empty list would say that everybody has left.
            Ok(Ok(None)) => Err(busy(
                "no complete run of the policy to its registry has ended yet: it may be at another target",
            )),
            Ok(Err(error)) => Err(unreadable(&error)),
            Err(error) => Err(unreadable(&error)),
        }
    }
}

async fn body_of(body: Body) -> Result<Vec<u8>, Failure> {
    let too_large = |_| Failure::new(413, format!("a search has at most {BODY} bytes"));
    Ok(to_bytes(body, BODY).await.map_err(too_large)?.to_vec())
}

fn discover(what: Discovery, base: &str, uri: &Uri) -> Result<Answer, Failure> {
    // RFC 7644 section 4: what a service can do is not filtered, lest it be misread.
    if Ask::of_query(uri)?.has_filter() {
        return Err(Failure::new(403, "the description of the service cannot be filtered"));
    }
    discovery::discover(what, base)
}
