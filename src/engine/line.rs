//! The way to the gateway: each request is signed, and each answer is whole or an error.

use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;

use crate::clock::Clock;
use crate::net::http::{Answer, Ask, Http, HttpError, Method, Url};
use crate::secret::Secret;
use crate::text;
use crate::wire::{self, Greeting, KeyId, NoKey, Refusal, SigningKey, Stamp, code, digest, path};

/// A greeting or a refusal has no more bytes.
const SHORT: usize = 64 << 10;
const PACKED: &str = "application/zstd";

/// The way to the gateway.
pub struct Line {
    http: Http,
    url: Url,
    key: SigningKey,
    /// How its public half is called.
    id: KeyId,
    /// This process: a later one has a greater text.
    session: String,
    /// The process of the gateway that was greeted.
    instance: Mutex<Option<String>>,
    clock: Arc<dyn Clock>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// There is no whole one.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The gateway refuses.
    #[error("the gateway refuses: {message}")]
    Refused {
        /// Why, in one word of [`code`].
        code: String,
        /// For people.
        message: String,
    },
    /// It is no gateway.
    #[error("{0}")]
    Odd(String),
    /// Nothing can be signed.
    #[error(transparent)]
    NoKey(#[from] NoKey),
}

impl LineError {
    /// Why the gateway refuses, if it does.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether the same may be taken later.
    pub fn passes(&self) -> bool {
        match self {
            Self::Http(error) => error.passes(),
            Self::Refused { code, .. } => {
                [code::BUSY, code::UNAVAILABLE, code::INSTANCE].contains(&code.as_str())
            }
            Self::Odd(_) => true,
            Self::NoKey(_) => false,
        }
    }
}

impl Line {
    /// The way to the gateway at `url`, with this key.
    ///
    /// # Errors
    /// When there are no random numbers, or the url is none.
    pub fn new(http: Http, url: &str, key: SigningKey, clock: Arc<dyn Clock>) -> Result<Self, LineError> {
        let url = Url::parse(url).map_err(|_| LineError::Odd(format!("{url} is no url")))?;
        let session = Stamp::session_of(clock.now())?;
        let id = key.public()?.id();
        Ok(Self { http, url, key, id, session, instance: Mutex::default(), clock })
    }

    /// Whose it is.
    pub(super) fn key(&self) -> &KeyId {
        &self.id
    }

    /// Asks the gateway who it is.
    ///
    /// # Errors
    /// When there is no answer, or the versions do not fit.
    pub async fn greet(&self) -> Result<Greeting, LineError> {
        let answer = self.http.ask(Ask::get(self.at(path::HELLO)?), SHORT).await?;
        if answer.status != 200 || !answer.is_json() {
            return Err(refused(&answer));
        }
        let greeting: Greeting = serde_json::from_slice(&answer.body).map_err(|_| odd(answer.status))?;
        if greeting.newest < wire::OLDEST || greeting.oldest > wire::PROTOCOL {
            let which =
                if greeting.newest < wire::OLDEST { "update the operator" } else { "update the engine" };
            let message = format!(
                "the versions do not fit: {which} (the operator {} speaks the versions {} to {}, this engine {} speaks {} to {})",
                text::clean_within(&greeting.software, 100),
                greeting.oldest,
                greeting.newest,
                env!("CARGO_PKG_VERSION"),
                wire::OLDEST,
                wire::PROTOCOL
            );
            return Err(LineError::Refused { code: code::VERSION.to_owned(), message });
        }
        self.greeted(Some(greeting.instance.clone()));
        Ok(greeting)
    }

    /// Says something that is signed. The answer has at most `most` bytes, packed and unpacked.
    ///
    /// # Errors
    /// When there is no answer, or a refusal.
    pub async fn say<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Vec<u8>,
        most: usize,
    ) -> Result<T, LineError> {
        self.said(path, body, most, None).await
    }

    /// Joins with a token.
    ///
    /// # Errors
    /// When there is no answer, or a refusal.
    pub async fn join(&self, token: &Secret, body: Vec<u8>) -> Result<(), LineError> {
        self.said::<wire::Receipt>(path::JOIN, body, SHORT, Some(token)).await.map(|_| ())
    }

    async fn said<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Vec<u8>,
        most: usize,
        token: Option<&Secret>,
    ) -> Result<T, LineError> {
        let mut is_new = false;
        loop {
            let instance = if let Some(instance) = self.instance() {
                instance
            } else {
                is_new = true;
                self.greet().await?.instance
            };
            let stamp = Stamp {
                key: self.id.clone(),
                instance,
                session: self.session.clone(),
                at: self.clock.now(),
                nonce: Stamp::nonce()?,
                body: digest(&body),
            };
            let signature = self.key.sign(&stamp, "POST", path);
            let ask = Ask::of(Method::POST, self.at(path)?).carrying(body.clone(), PACKED);
            let ask = match token {
                Some(token) => {
                    ask.bearer(token.without_line_end())?.with_header("rollcall-proof", &signature)?
                }
                None => ask.with_header("authorization", &signature)?,
            };
            let answer = self.http.ask(ask, most).await?;
            if answer.status == 200 && answer.header("content-type") == Some(PACKED) {
                return wire::unpack(&answer.body, most)
                    .map_err(|why| LineError::Odd(format!("the gateway's answer cannot be read: {why}")));
            }
            let refused = refused(&answer);
            if refused.code() == Some(code::INSTANCE) {
                self.greeted(None);
                if !is_new {
                    continue;
                }
            }
            return Err(refused);
        }
    }

    fn at(&self, path: &str) -> Result<Url, LineError> {
        self.url.join(path).map_err(|_| LineError::Odd(format!("{path} is no path")))
    }

    fn instance(&self) -> Option<String> {
        self.instance.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn greeted(&self, instance: Option<String>) {
        *self.instance.lock().unwrap_or_else(PoisonError::into_inner) = instance;
    }
}

/// What an answer says that is not what was asked for.
fn refused(answer: &Answer) -> LineError {
    let refusal = if answer.is_json() { serde_json::from_slice::<Refusal>(&answer.body).ok() } else { None };
    match refusal {
        Some(Refusal { code, message }) => {
            LineError::Refused { code, message: text::clean_within(&message, 1000).into_owned() }
        }
        None => odd(answer.status),
    }
}

fn odd(status: u16) -> LineError {
    LineError::Odd(format!(
        "what answers (with the status {status}) is no gateway: check gateway.url, and whether a proxy answers in its place"
    ))
}
