//! What stand-ins of cloud services share: https with a certificate of the hosts that they stand for, what was asked, and what is
//! answered in place of the truth.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::Value;

use super::https::Https;

/// A service that answers until it is dropped.
pub(crate) struct Cloud<S> {
    /// Its certificate authority, in PEM form.
    pub(crate) ca: String,
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<S>>,
    https: Https,
}

/// What a service is.
pub(crate) trait Answering: Send + 'static {
    fn talk(&mut self) -> &mut Talk;
    fn answer(&mut self, asked: &Asked, token: Option<&str>) -> Answer;
}

/// What is said beside the truth.
#[derive(Default)]
pub(crate) struct Talk {
    pub(crate) faults: VecDeque<Fault>,
    pub(crate) asked: Vec<Asked>,
    /// Whether all that is answered is kept too.
    pub(crate) keeps: bool,
    pub(crate) answered: Vec<(Asked, u16, String)>,
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Whether a token came with it.
    pub(crate) with_token: bool,
    pub(crate) body: String,
}

/// What is answered in place of the truth.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// To whom: a part of the target.
    pub(crate) to: &'static str,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let kind = ("content-type", "application/json; charset=utf-8".to_owned());
        Self { status, headers: vec![kind], body: body.to_string() }
    }
}

impl<S: Answering> Cloud<S> {
    /// One that may be called by these hosts, and that `make` makes of its own url.
    pub(crate) fn of(hosts: &'static [&'static str], make: impl FnOnce(String) -> S) -> Self {
        let mut state = None;
        let https = Https::start(hosts, |url| {
            let state = state.insert(Arc::new(Mutex::new(make(url))));
            Router::new().fallback(answer::<S>).with_state(state.clone())
        });
        Self { ca: https.ca.clone(), address: https.address, state: state.unwrap(), https }
    }

    /// Everything that it knows, while nothing is asked.
    pub(crate) fn inner(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        self.https.url()
    }

    /// What was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.inner().talk().asked)
    }

    /// Answers the next question to `to` so.
    pub(crate) fn fail(&self, to: &'static str, status: u16, headers: &[(&'static str, &str)], body: &str) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.inner().talk().faults.push_back(Fault { to, status, headers, body: body.to_owned() });
    }
}

async fn answer<S: Answering>(State(state): State<Arc<Mutex<S>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
    let body = String::from_utf8_lossy(&body).into_owned();
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let token = header("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned));
    let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let asked = Asked { method: parts.method.to_string(), target, with_token: token.is_some(), body };
    let answer = {
        let mut inner = state.lock().unwrap();
        inner.talk().asked.push(asked.clone());
        let faults = &mut inner.talk().faults;
        let fault = faults.iter().position(|fault| asked.target.contains(fault.to));
        let answer = if let Some(at) = fault {
            let Fault { status, headers, body, .. } = faults.remove(at).unwrap();
            Answer { status, headers, body }
        } else {
            inner.answer(&asked, token.as_deref())
        };
        let talk = inner.talk();
        if talk.keeps && fault.is_none() {
            talk.answered.push((asked, answer.status, answer.body.clone()));
        }
        answer
    };
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap()
}
