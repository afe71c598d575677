//! What a request may change, and whom it may keep out.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::directory::ConnectorName;
use crate::gateway::handle::handle;
use crate::secret::Secret;
use crate::wire::{Refusal, SigningKey, Stamp, code, digest, path};

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }
}

fn at(seconds: i64) -> Timestamp {
    Fixed.now().saturating_add(SignedDuration::from_secs(seconds)).unwrap()
}

fn corp() -> ConnectorName {
    ConnectorName::new("id", "corp")
}

fn desk() -> Arc<Desk> {
    let (gateway, _) = Gateway::new("https://gw.example");
    Arc::new(Desk::new(gateway, Arc::new(Fixed), Metrics::new(), CancellationToken::new()).unwrap())
}

async fn answer(desk: &Arc<Desk>, at: &str, authorization: String) -> Response {
    let request = Request::builder().method(Method::POST).uri(at);
    let request = request.header(header::AUTHORIZATION, authorization).body(Body::empty()).unwrap();
    handle(State(desk.clone()), request).await
}

/// How a request is refused, if it is.
async fn refused(desk: &Arc<Desk>, at: &str, authorization: String) -> Option<String> {
    let response = answer(desk, at, authorization).await;
    code_of(response).await
}

async fn code_of(response: Response) -> Option<String> {
    if response.status() == 200 {
        return None;
    }
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    Some(serde_json::from_slice::<Refusal>(&body).unwrap().code)
}

struct Key(SigningKey);

impl Key {
    fn enrolled(desk: &Desk) -> Self {
        let key = SigningKey::generate().unwrap().0;
        desk.gateway.engines.enrol(&corp(), Some(key.public().unwrap()));
        Self(key)
    }

    /// Asks at one moment, of a process that began at another.
    async fn asks(&self, desk: &Arc<Desk>, began: i64, seconds: i64) -> Option<String> {
        refused(desk, path::CHECK, self.signs(desk, began, seconds)).await
    }

    fn signs(&self, desk: &Desk, began: i64, seconds: i64) -> String {
        let stamp = Stamp {
            key: self.0.public().unwrap().id(),
            instance: desk.instance.clone(),
            session: Stamp::session_of(at(began)).unwrap(),
            at: at(seconds),
            nonce: Stamp::nonce().unwrap(),
            body: digest(b""),
        };
        self.0.sign(&stamp, "POST", path::CHECK)
    }
}

fn trouble(desk: &Desk) -> Option<&'static str> {
    let seen = desk.gateway.engines.states(&corp()).pop()?.seen?;
    seen.trouble.map(|trouble| trouble.code)
}

#[tokio::test]
async fn a_request_that_somebody_kept_changes_nothing_that_is_shown() {
    let desk = desk();
    let key = Key::enrolled(&desk);
    let clock = Some(code::CLOCK.to_owned());
    // A clock that is behind is shown, …
    assert_eq!(key.asks(&desk, -1000, -600).await, clock);
    assert_eq!(trouble(&desk), Some(code::CLOCK));
    desk.gateway.engines.enrol(&corp(), None);
    let key = Key::enrolled(&desk);
    // … but not of a request from before one that was taken.
    assert_eq!(key.asks(&desk, -1000, 0).await, None);
    assert_eq!(key.asks(&desk, -1000, -600).await, clock);
    assert_eq!(trouble(&desk), None);
    assert_eq!(key.asks(&desk, -1000, 600).await, clock);
    assert_eq!(trouble(&desk), Some(code::CLOCK));
}

#[tokio::test]
async fn no_process_comes_from_the_future() {
    let desk = desk();
    let key = Key::enrolled(&desk);
    assert_eq!(key.asks(&desk, 100, 0).await, None);
    assert_eq!(key.asks(&desk, 200, 1).await, Some(code::CLOCK.to_owned()));
    assert_eq!(trouble(&desk), Some(code::CLOCK));
}

#[tokio::test]
async fn an_answer_that_nobody_takes_keeps_its_place() {
    let desk = desk();
    let (key, other) = (Key::enrolled(&desk), SigningKey::generate().unwrap().0);
    let mut untaken = Vec::new();
    for _ in 0..8 {
        let answer = answer(&desk, path::CHECK, key.signs(&desk, 0, 0)).await;
        assert_eq!(answer.status(), 200);
        untaken.push(answer);
    }
    assert_eq!(key.asks(&desk, 0, 0).await, Some(code::BUSY.to_owned()));
    // That is no matter to others.
    desk.gateway.engines.enrol(&ConnectorName::new("id", "other"), [other.public().unwrap()]);
    assert_eq!(Key(other).asks(&desk, 0, 0).await, None);
    // One that is taken, or that nobody waits for any more, makes room.
    assert_eq!(code_of(untaken.pop().unwrap()).await, None);
    assert_eq!(key.asks(&desk, 0, 0).await, None);
    untaken.clear();
    for _ in 0..8 {
        untaken.push(answer(&desk, path::CHECK, key.signs(&desk, 0, 0)).await);
    }
    assert!(untaken.iter().all(|answer| answer.status() == 200));
}

#[tokio::test]
async fn one_letter_of_a_key_is_opened_at_once() {
    let desk = desk();
    let id = Key::enrolled(&desk).0.public().unwrap().id();
    let (first, second) = (desk.place(&id).unwrap(), desk.place(&id).unwrap());
    let letter = first.letter().await.unwrap();
    let mut next = Box::pin(second.letter());
    assert!(futures::poll!(&mut next).is_pending());
    drop(letter);
    assert!(next.await.is_some());
}

#[tokio::test]
async fn whoever_has_no_token_keeps_nobody_from_joining() {
    let desk = desk();
    let token = Secret::new("sesame");
    desk.gateway.expect(&corp(), &[("corp-engine", &token, at(60))]);
    for _ in 0..20 {
        let came = refused(&desk, path::JOIN, "Bearer guess".to_owned()).await;
        assert_eq!(came, Some(code::TOKEN.to_owned()));
    }
    let mut came = Vec::new();
    for _ in 0..6 {
        came.extend(refused(&desk, path::JOIN, "Bearer sesame".to_owned()).await);
    }
    let (last, those_before) = came.split_last().unwrap();
    assert!(those_before.iter().all(|code| code == code::UNSIGNED), "{came:?}");
    assert_eq!(last, code::BUSY);
}

#[tokio::test]
async fn a_token_counts_until_it_expires_and_each_of_several_for_its_own_place() {
    let desk = desk();
    let (token, second) = (Secret::new("sesame"), Secret::new("open"));
    desk.gateway.expect(&corp(), &[("corp-engine", &token, at(0)), ("corp-engine-2", &second, at(1))]);
    let came = refused(&desk, path::JOIN, "Bearer sesame".to_owned()).await;
    assert_eq!(came, Some(code::TOKEN.to_owned()));
    // One that counts comes further.
    let came = refused(&desk, path::JOIN, "Bearer open".to_owned()).await;
    assert_eq!(came, Some(code::UNSIGNED.to_owned()));
    assert_eq!(desk.gateway.of_token(&second, at(0)).unwrap().secret, "corp-engine-2");
    desk.gateway.expect(&corp(), &[]);
    assert_eq!(desk.gateway.of_token(&second, at(0)), None);
}
