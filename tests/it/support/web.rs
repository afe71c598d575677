//! An HTTP client that hides nothing.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.head, self.body);
        self
    }
}

/// Sends a request and reads the answer to its end.
pub(crate) fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    exchange(connect(address), method, path, headers, body)
}

/// The same over TLS, trusting `authority` and expecting `localhost`.
pub(crate) fn ask_tls(
    address: SocketAddr,
    authority: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> std::io::Result<Answer> {
    let config = rollcall::net::tls::client_config(Some(authority.as_bytes())).unwrap();
    ask_tls_by(config, address, path, headers)
}

/// A page of a server that is known by its address.
pub(crate) fn page_of(address: SocketAddr, authority: &str, path: &str) -> Answer {
    let config = rollcall::net::tls::client_config(Some(authority.as_bytes())).unwrap();
    get_tls(config, "127.0.0.1", address, path, &[]).unwrap()
}

pub(crate) fn ask_tls_by(
    config: Arc<rustls::ClientConfig>,
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
) -> std::io::Result<Answer> {
    get_tls(config, "localhost", address, path, headers)
}

fn get_tls(
    config: Arc<rustls::ClientConfig>,
    name: &'static str,
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
) -> std::io::Result<Answer> {
    let name = name.try_into().unwrap();
    let mut session = rustls::ClientConnection::new(config, name).unwrap();
    let mut stream = connect(address);
    session.complete_io(&mut stream)?;
    Ok(exchange(rustls::StreamOwned::new(session, stream), "GET", path, headers, ""))
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream
}

fn exchange(
    mut stream: impl Read + Write,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request.push_str("Host: registry.test:8443\r\n");
    }
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    stream.write_all(format!("{request}\r\n{body}").as_bytes()).unwrap();
    let mut answer = Vec::new();
    // A peer that closes without a farewell has said what it had to say.
    drop(stream.read_to_end(&mut answer));
    parse(&String::from_utf8(answer).unwrap())
}

fn parse(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let answer = Answer { status, head: head.to_owned(), body: body.to_owned() };
    if let Some(length) = answer.header("content-length").filter(|_| !body.is_empty()) {
        assert_eq!(length, body.len().to_string(), "the answer is cut short");
    }
    answer
}

/// `text` as part of a query.
pub(crate) fn quoted(text: &str) -> String {
    let sign = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(sign).collect()
}
