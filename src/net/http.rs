//! The one HTTP client: bounded, secure, and true to the host that it was told.
//!
//! # Guarantees
//! - Redirects are answers, never followed: what a request carries goes to no other host.
//! - An answer is read to its end or is an error; no more than the given number of bytes is held.
//! - What is said of an error names the host, never the path, the query or what was sent.
//!
//! `HTTPS_PROXY` and `NO_PROXY` count, as for other programs.

use std::error::Error as _;
use std::time::Duration;

use futures::TryStreamExt as _;
use jiff::Timestamp;
pub use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
pub use url::Url;

use super::pace::Pace;
use super::retry::{self, Came, Next, Policy};
use super::tls;
use crate::clock::Clock;
use crate::secret::Secret;

/// So long a connection may take.
const CONNECT: Duration = Duration::from_secs(15);
/// So long a server may say nothing while it is heard.
const SILENCE: Duration = Duration::from_mins(1);
/// So long one answer may take as a whole.
const WHOLE: Duration = Duration::from_mins(5);
/// As whom we come.
const USER_AGENT: &str = concat!("rollcall/", env!("CARGO_PKG_VERSION"));

/// A client. Cheap to clone; connections are kept and shared.
#[derive(Clone, Debug)]
pub struct Http {
    client: reqwest::Client,
}

/// A proxy, and who may use it.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Where it is.
    pub url: Url,
    /// Name and password, if it asks for them.
    pub account: Option<(String, Secret)>,
}

/// What is asked.
#[derive(Clone)]
pub struct Ask {
    method: Method,
    url: Url,
    headers: HeaderMap,
    /// What is sent, and its type.
    body: Option<(Vec<u8>, &'static str)>,
}

/// A whole answer.
pub struct Answer {
    /// The status.
    pub status: u16,
    headers: HeaderMap,
    /// The body, unpacked.
    pub body: Vec<u8>,
}

/// How far a request came that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It was not sent: it cannot be written.
    Unsent,
    /// No server answered.
    Connecting,
    /// It could not prove who it is, or speaks no TLS.
    Secure,
    /// The answer did not reach its end.
    Answering,
    /// The answer is longer than it may be.
    TooLong,
}

/// Why there is no whole answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HttpError {
    /// How far it came.
    pub stage: Stage,
    /// What happened to which host, and what to do. Holds nothing that was sent.
    pub message: String,
}

impl Ask {
    /// GET.
    pub fn get(url: Url) -> Self {
        Self::of(Method::GET, url)
    }

    /// Any method.
    pub fn of(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: None }
    }

    /// POST of fields as a form.
    pub fn form<'f>(url: Url, fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> Self {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Self::of(Method::POST, url).carrying(form.into_bytes(), "application/x-www-form-urlencoded")
    }

    /// POST of JSON.
    pub fn json(url: Url, json: &serde_json::Value) -> Self {
        Self::of(Method::POST, url).carrying(json.to_string().into_bytes(), "application/json")
    }

    /// With this body, of this type.
    #[must_use]
    pub fn carrying(mut self, body: Vec<u8>, kind: &'static str) -> Self {
        self.body = Some((body, kind));
        self
    }

    /// With a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    /// With a header that is known only now, which no log shows.
    ///
    /// # Errors
    /// The name or the value has characters that no header may have.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, HttpError> {
        let failed = || HttpError {
            stage: Stage::Unsent,
            message: format!("the header {} cannot be sent", crate::text::clean_within(name, 100)),
        };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| failed())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| failed())?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }

    /// With a bearer token (RFC 6750), which no log shows.
    ///
    /// # Errors
    /// The token has characters that no header may have.
    pub fn bearer(mut self, token: &[u8]) -> Result<Self, HttpError> {
        let value = HeaderValue::from_bytes(&[b"Bearer ", token].concat());
        let mut value = value.map_err(|_| HttpError {
            stage: Stage::Unsent,
            message: "the access token that was issued cannot stand in a header".to_owned(),
        })?;
        value.set_sensitive(true);
        self.headers.insert(reqwest::header::AUTHORIZATION, value);
        Ok(self)
    }
}

impl Answer {
    /// The header of this name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether it says that it is JSON.
    pub fn is_json(&self) -> bool {
        let kind = self.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        kind == "application/json" || kind.ends_with("+json")
    }

    /// What the server's clock said.
    pub fn date(&self) -> Option<Timestamp> {
        self.header("date").and_then(retry::date)
    }

    /// How long it asks to wait. A date counts from the server's own clock, else from `now`.
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        retry::retry_after(self.header("retry-after")?, self.date().unwrap_or(now))
    }
}

#[cfg(test)]
impl Answer {
    /// One that was never sent.
    pub(crate) fn of(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Self {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        Self { status, headers: headers.iter().map(header).collect(), body: body.as_bytes().to_vec() }
    }
}

impl Http {
    /// A client that trusts the certificate authorities in `ca_pem` and no other, without it those of the system.
    ///
    /// # Errors
    /// The certificate authorities cannot be read, or there are none.
    pub fn new(ca_pem: Option<&[u8]>) -> Result<Self, HttpError> {
        Self::build(ca_pem, true)
    }

    /// The same, which also speaks to servers that have no TLS: whoever is on the way reads what is sent.
    ///
    /// # Errors
    /// As for [`Http::new`].
    pub fn insecure(ca_pem: Option<&[u8]>) -> Result<Self, HttpError> {
        Self::build(ca_pem, false)
    }

    /// A client for one host: with TLS 1.3 alone, and, where they are given, a pin and a proxy of its own.
    ///
    /// # Errors
    /// As for [`Http::new`], and if the proxy is none.
    pub fn pinned(
        ca_pem: Option<&[u8]>,
        pin: Option<[u8; 32]>,
        proxy: Option<&Proxy>,
    ) -> Result<Self, HttpError> {
        let config = tls::pinned_config(ca_pem, pin).map_err(|error| unsecured(error.to_string()))?;
        let mut builder = builder(&config, true);
        if let Some(Proxy { url, account }) = proxy {
            let proxy = reqwest::Proxy::all(url.clone());
            let mut proxy = proxy.map_err(|_| unsecured("the proxy's url is none".to_owned()))?;
            if let Some((name, password)) = account {
                let password = String::from_utf8_lossy(password.without_line_end()).into_owned();
                proxy = proxy.basic_auth(name, &password);
            }
            builder = builder.proxy(proxy);
        }
        built(builder)
    }

    fn build(ca_pem: Option<&[u8]>, https_only: bool) -> Result<Self, HttpError> {
        let config = tls::client_config(ca_pem).map_err(|error| unsecured(error.to_string()))?;
        built(builder(&config, https_only))
    }

    /// The same, as often and as patiently as `policy` says: the last answer, whatever it says. Only for what may be asked twice.
    ///
    /// # Errors
    /// The last try got no whole answer.
    pub async fn ask_again(
        &self,
        ask: &Ask,
        most: usize,
        policy: Policy,
        clock: &dyn Clock,
    ) -> Result<Answer, HttpError> {
        self.ask_in_turn(ask, most, policy, clock, None, |answer| answer.status).await
    }

    /// The same of a service that has a budget of requests, and that may say with another status that it is busy: `counts_as` is
    /// the status that an answer has in effect. Who is told to wait has all wait who share the budget.
    ///
    /// # Errors
    /// The last try got no whole answer.
    pub async fn ask_in_turn(
        &self,
        ask: &Ask,
        most: usize,
        policy: Policy,
        clock: &dyn Clock,
        pace: Option<&Pace>,
        counts_as: impl Fn(&Answer) -> u16,
    ) -> Result<Answer, HttpError> {
        let mut tried = 0;
        loop {
            if let Some(pace) = pace {
                pace.turn().await;
            }
            let answer = self.ask(ask.clone(), most).await;
            tried += 1;
            let came = match &answer {
                Ok(answer) => Came::Status(counts_as(answer), answer.retry_after(clock.now())),
                Err(error) if error.passes() => Came::Nothing,
                Err(_) => return answer,
            };
            match (policy.next(came, tried, chance()), pace) {
                (Next::Again(wait), Some(pace)) if matches!(came, Came::Status(429, _)) => pace.pause(wait),
                (Next::Again(wait), _) => tokio::time::sleep(wait).await,
                (Next::GiveUp(_), _) => return answer,
            }
        }
    }

    /// Asks, and reads the answer to its end, which may have at most `most` bytes.
    ///
    /// # Errors
    /// There is no whole answer: see [`Stage`].
    pub async fn ask(&self, ask: Ask, most: usize) -> Result<Answer, HttpError> {
        let Ask { method, url, headers, body } = ask;
        let host = host(&url);
        let mut request = self.client.request(method, url);
        if let Some((body, kind)) = body {
            request = request.header(reqwest::header::CONTENT_TYPE, kind).body(body);
        }
        let failed = |error: reqwest::Error| explain(&host, &error);
        let response = request.headers(headers).send().await.map_err(failed)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        // What a server says of its length is reserved, and takes no memory until it comes.
        let length = response.content_length().and_then(|length| usize::try_from(length).ok());
        let mut body = Vec::with_capacity(length.unwrap_or_default().min(most));
        let mut stream = response.bytes_stream();
        while let Some(some) = stream.try_next().await.map_err(failed)? {
            if body.len() + some.len() > most {
                let message =
                    format!("the answer of {host} is longer than {most} bytes; nothing of it was taken");
                return Err(HttpError { stage: Stage::TooLong, message });
            }
            body.extend_from_slice(&some);
        }
        Ok(Answer { status, headers, body })
    }
}

fn unsecured(message: String) -> HttpError {
    HttpError { stage: Stage::Secure, message }
}

fn builder(config: &rustls::ClientConfig, https_only: bool) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(config.clone())
        .redirect(reqwest::redirect::Policy::none())
        .https_only(https_only)
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .timeout(WHOLE)
        .referer(false)
}

fn built(builder: reqwest::ClientBuilder) -> Result<Http, HttpError> {
    let client =
        builder.build().map_err(|error| unsecured(format!("no HTTP client can be made: {error}")))?;
    Ok(Http { client })
}

impl HttpError {
    /// Whether it may go otherwise the next time.
    pub fn passes(&self) -> bool {
        matches!(self.stage, Stage::Connecting | Stage::Answering)
    }
}

/// Whether a text is `https://` and a host, with or without a port, and nothing else.
pub fn is_place(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let bare = url.username().is_empty() && url.password().is_none() && url.path() == "/";
    url.scheme() == "https" && url.has_host() && bare && url.query().is_none() && url.fragment().is_none()
}

/// A number from 0 to 1, which spreads those who wait.
pub fn chance() -> f64 {
    let [one, ..] = uuid::Uuid::new_v4().into_bytes();
    f64::from(one) / f64::from(u8::MAX)
}

/// Whose answer it is.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// What happened, without what was asked: an error of the library names the whole url.
fn explain(host: &str, error: &reqwest::Error) -> HttpError {
    let mut cause = error.source();
    let mut deepest = String::new();
    while let Some(inner) = cause {
        // The library may wrap what the TLS library says into an error of input and output.
        let wrapped = || inner.downcast_ref::<std::io::Error>()?.get_ref()?.downcast_ref::<rustls::Error>();
        if let Some(error) = inner.downcast_ref::<rustls::Error>().or_else(wrapped) {
            let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
            let message = format!("no secure connection to {host}: {}", tls::explain(error, name));
            return HttpError { stage: Stage::Secure, message };
        }
        deepest = inner.to_string();
        cause = inner.source();
    }
    let (stage, what) = if error.is_connect() {
        (Stage::Connecting, "cannot be reached")
    } else {
        (Stage::Answering, "did not give a whole answer")
    };
    if error.is_timeout() && stage == Stage::Answering {
        deepest = String::from("it did not answer in time");
    }
    let why = if deepest.is_empty() { String::new() } else { format!(": {deepest}") };
    HttpError { stage, message: format!("{host} {what}{why}") }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://graph.corp.example", true)]
    #[case("https://graph.corp.example/", true)]
    #[case("https://127.0.0.1:8443", true)]
    #[case("https://[::1]:8443/", true)]
    #[case("http://graph.corp.example", false)]
    #[case("https://graph.corp.example/v1.0", false)]
    #[case("https://ann@graph.corp.example", false)]
    #[case("https://graph.corp.example?x=1", false)]
    #[case("https://graph.corp.example#x", false)]
    #[case("https://", false)]
    #[case("graph.corp.example", false)]
    fn a_place_is_a_host_and_nothing_else(#[case] text: &str, #[case] place: bool) {
        assert_eq!(is_place(text), place);
    }

    #[rstest]
    #[case("application/json", true)]
    #[case("application/json; odata.metadata=minimal", true)]
    #[case("Application/JSON;charset=utf-8", true)]
    #[case("application/problem+json", true)]
    #[case("text/html", false)]
    #[case("application/jsonp", false)]
    fn json_is_what_says_so(#[case] kind: &'static str, #[case] json: bool) {
        assert_eq!(Answer::of(200, &[("content-type", kind)], "").is_json(), json);
        assert!(!Answer::of(200, &[], "{}").is_json());
    }

    #[test]
    fn a_wait_until_a_date_counts_from_the_clock_that_said_it() {
        let until = ("retry-after", "Sun, 06 Nov 1994 08:50:00 GMT");
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let with = Answer::of(429, &[until, ("date", "Sun, 06 Nov 1994 08:49:00 GMT")], "");
        assert_eq!(with.retry_after(now), Some(Duration::from_mins(1)));
        assert_eq!(Answer::of(429, &[until], "").retry_after(now), Some(Duration::ZERO));
        assert_eq!(Answer::of(429, &[], "").retry_after(now), None);
    }

    #[test]
    fn a_token_is_not_shown() {
        let ask = Ask::get(Url::parse("https://graph.corp.example/").unwrap()).bearer(b"the-token").unwrap();
        assert!(!format!("{:?}", ask.headers).contains("the-token"));
        assert!(Ask::get(ask.url).bearer(b"the\ntoken").is_err());
    }
}
