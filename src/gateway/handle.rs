//! The requests, one by one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use tokio::sync::oneshot;

use super::admit::{self, Admitted};
use super::desk::Desk;
use super::expected::{Expected, Joined, Joining};
use super::refused::Refused;
use crate::secret::Secret;
use crate::serve::Sending;
use crate::source::engine::{Seen, Trouble};
use crate::text;
use crate::wire::{self, PublicKey, Signed, code, path};

/// So long an engine waits for work, or for room: shorter than what boxes on the way take for idle.
const POLL: Duration = Duration::from_secs(25);
/// A join is settled within so long.
const JOIN: Duration = Duration::from_secs(15);
/// Short requests have no more bytes.
const SHORT: usize = 64 << 10;
/// A part comes with the digest before it.
const WITH_HEAD: usize = wire::PART + 64;
/// The name of a machine or a version is no longer.
const NAME: usize = 253;
/// The header with the signature of whoever joins, by the key that joins.
const PROOF: &str = "rollcall-proof";

pub(super) async fn handle(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let answered = answer(&desk, &head, body).await;
    desk.metrics.gateway_request(answered.as_ref().map_or_else(|refused| refused.code, |_| "ok"));
    desk.metrics.engines(desk.gateway.engines.count());
    answered.unwrap_or_else(|refused| {
        tracing::debug!(code = refused.code, "a request to the gateway was refused");
        refused.response()
    })
}

async fn answer(desk: &Desk, head: &Parts, body: Body) -> Result<Response, Refused> {
    if head.uri.path() == path::HELLO && head.method == Method::GET {
        return Ok(greet(desk));
    }
    if head.method != Method::POST {
        return Err(nothing());
    }
    if head.uri.path() == path::JOIN {
        return join(desk, head, body).await;
    }
    let route = Route::of(head.uri.path()).ok_or_else(nothing)?;
    let of = admit::admit(desk, head)?;
    let bytes = admit::body(&of.stamp, body, route.most()).await?;
    let answered = admitted(desk, &of, route, bytes).await?;
    Ok(held(answered, of.place))
}

/// What is answered to a request of an engine that is enrolled.
async fn admitted(desk: &Desk, of: &Admitted, route: Route<'_>, bytes: Bytes) -> Result<Response, Refused> {
    let engines = &desk.gateway.engines;
    let process = &of.process;
    match route {
        Route::Check => packed(&wire::Receipt { next: 0, room: 0 }),
        Route::Work => work(desk, of, &bytes).await,
        Route::Part(task, number) => packed(&engines.part((process, task), number, &bytes).await?),
        Route::Room(task) => {
            let room = engines.room((process, task), POLL);
            match desk.stop.run_until_cancelled(room).await {
                Some(room) => packed(&room?),
                None => Err(stopping()),
            }
        }
        Route::Ask(task) => {
            let letter = of.place.letter().await.ok_or_else(stopping)?;
            let (engines, process, task) = (engines.clone(), process.clone(), task.to_owned());
            // It takes room until it is answered, also when whoever asked was cut off.
            let answering = tokio::spawn(async move {
                let question = wire::unpack(&bytes, wire::LETTER)?;
                drop(bytes);
                let told = engines.told((&process, &task), question).await?;
                Ok(held(packed_within(&told, wire::TOLD)?, letter))
            });
            answering.await.map_err(|_| stopping())?
        }
        Route::End(task) => {
            let _letter = of.place.letter().await.ok_or_else(stopping)?;
            let end = wire::unpack(&bytes, wire::LETTER)?;
            packed(&engines.end((process, task), end).await?)
        }
    }
}

/// An answer that holds something until the last of it was taken, or nobody takes it any more.
fn held<H: Send + Unpin + 'static>(answer: Response, what: H) -> Response {
    answer.map(|body| Body::new(Sending::new(body, what)))
}

/// What is asked for, of engines that are enrolled.
enum Route<'a> {
    Check,
    Work,
    Part(&'a str, u64),
    Room(&'a str),
    Ask(&'a str),
    End(&'a str),
}

impl<'a> Route<'a> {
    fn of(path: &'a str) -> Option<Self> {
        if path == path::CHECK {
            return Some(Self::Check);
        }
        if path == path::WORK {
            return Some(Self::Work);
        }
        let steps: Vec<&str> = path.strip_prefix("/v1/tasks/")?.split('/').collect();
        match steps[..] {
            [task, "parts", number] => Some(Self::Part(task, number.parse().ok()?)),
            [task, "room"] => Some(Self::Room(task)),
            [task, "ask"] => Some(Self::Ask(task)),
            [task, "end"] => Some(Self::End(task)),
            _ => None,
        }
    }

    /// Its body has no more bytes.
    fn most(&self) -> usize {
        match self {
            Self::Check | Self::Work | Self::Room(_) => SHORT,
            Self::Part(..) => WITH_HEAD,
            Self::Ask(_) | Self::End(_) => wire::LETTER,
        }
    }
}

fn greet(desk: &Desk) -> Response {
    let greeting = wire::Greeting {
        instance: desk.instance.clone(),
        oldest: wire::OLDEST,
        newest: wire::PROTOCOL,
        software: env!("CARGO_PKG_VERSION").to_owned(),
        now: desk.clock.now(),
    };
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (StatusCode::OK, headers, serde_json::to_vec(&greeting).unwrap_or_default()).into_response()
}

async fn join(desk: &Desk, head: &Parts, body: Body) -> Result<Response, Refused> {
    let now = desk.clock.now();
    let bearer = head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(|token| Secret::new(token.trim()));
    let known = token.as_ref().and_then(|token| desk.gateway.of_token(token, now));
    let (Some(token), Some(Expected { connector, secret, .. })) = (token, known) else { return Err(used()) };
    // Whoever has no token keeps nobody from joining: nothing more is done for them than this.
    if !desk.may_join(now) {
        return Err(Refused::new(code::BUSY, "too many try to join at once; try again in a moment"));
    }
    let proof = head.headers.get(PROOF).and_then(|value| Signed::parse(value.to_str().ok()?));
    let proof =
        proof.ok_or_else(|| Refused::new(code::UNSIGNED, "the join is not signed by the key that joins"))?;
    admit::for_us(desk, &proof)?;
    let bytes = admit::body(&proof.stamp, body, SHORT).await?;
    let wire::Join { key, host } = wire::unpack(&bytes, SHORT)?;
    let key = PublicKey::parse(&key).map_err(|why| Refused::new(code::INVALID, why.to_string()))?;
    admit::verify(&proof, &key, head)?;
    let (answer, answered) = oneshot::channel();
    let host = text::clean_within(&host, NAME).into_owned();
    let unavailable = || {
        let why = "the operator cannot enrol an engine now: it is not the active replica, or the apiserver does not answer. Try again";
        Refused::new(code::UNAVAILABLE, why)
    };
    if !desk.gateway.hand_on(Joining { connector, secret, token, key, host, answer }) {
        return Err(unavailable());
    }
    match tokio::time::timeout(JOIN, answered).await {
        Ok(Ok(Joined::Yes)) => packed(&wire::Receipt { next: 0, room: 0 }),
        Ok(Ok(Joined::Used)) => Err(used()),
        Ok(Ok(Joined::Unavailable) | Err(_)) | Err(_) => Err(unavailable()),
    }
}

async fn work(desk: &Desk, of: &Admitted, bytes: &[u8]) -> Result<Response, Refused> {
    let hello: wire::Hello = wire::unpack(bytes, SHORT)?;
    let engines = &desk.gateway.engines;
    let short = |text: &str| text::clean_within(text, NAME).into_owned();
    let mut seen = Seen {
        at: desk.clock.now(),
        software: short(&hello.software),
        host: short(&hello.host),
        skew: of.skew,
        trouble: None,
    };
    if hello.newest < wire::OLDEST || hello.oldest > wire::PROTOCOL {
        let which = if hello.newest < wire::OLDEST {
            "the engine is too old: update it"
        } else {
            "the engine is newer than the operator: update the operator"
        };
        let why = format!(
            "{which} (the operator {} speaks the versions {} to {}, the engine {} speaks {} to {})",
            env!("CARGO_PKG_VERSION"),
            wire::OLDEST,
            wire::PROTOCOL,
            seen.software,
            hello.oldest,
            hello.newest
        );
        seen.trouble = Some(Trouble { code: code::VERSION, why: why.clone() });
        engines.heard(&of.process, seen)?;
        return Err(Refused::new(code::VERSION, why));
    }
    let stopped = hello.stopped.as_deref().map(|why| text::clean_within(why, 500).into_owned());
    let is_stopped = stopped.is_some();
    seen.trouble = stopped.map(|why| Trouble { code: Trouble::STOPPED, why });
    engines.heard(&of.process, seen)?;
    let none = wire::Work { task: None, dropped: BTreeSet::new(), standby: None };
    if is_stopped {
        // It is to ask again, and gets nothing to do.
        desk.stop.run_until_cancelled(tokio::time::sleep(POLL)).await;
        return packed(&none);
    }
    let work = engines.work(&of.process, &hello.has, POLL);
    match desk.stop.run_until_cancelled(work).await {
        Some(work) => {
            let mut work = work?;
            work.standby.take_if(|_| hello.newest < wire::STANDBY);
            packed(&work)
        }
        None => packed(&none),
    }
}

fn packed<T: Serialize>(answer: &T) -> Result<Response, Refused> {
    packed_within(answer, wire::LETTER)
}

/// An answer, if the other side can take it.
fn packed_within<T: Serialize>(answer: &T, most: usize) -> Result<Response, Refused> {
    let too_large = || Refused::new(code::TOO_LARGE, "the answer is larger than it may be");
    let packed = wire::pack_within(answer, most).map_err(|_| too_large())?;
    let headers = [(header::CONTENT_TYPE, "application/zstd"), (header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::OK, headers, packed).into_response())
}

fn nothing() -> Refused {
    Refused::new(code::NOT_FOUND, "there is nothing here; this is a gateway for Sync Engines")
}

fn stopping() -> Refused {
    Refused::new(code::UNAVAILABLE, "the operator is stopping; try again")
}

fn used() -> Refused {
    let why = "this token is unknown, was used, or has expired: a token counts once, for an hour. The connector's status shows how to get \
               a new one";
    Refused::new(code::TOKEN, why)
}
