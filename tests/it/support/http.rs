//! The least of HTTP that tests need.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// The status and body of `GET path`.
pub(crate) fn get(address: &str, path: &str) -> io::Result<(u16, String)> {
    ask("GET", address, path, "")
}

/// The status and body of `POST path` with JSON.
pub(crate) fn post(address: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
    ask("POST", address, path, body)
}

fn ask(method: &str, address: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.map(|status| (status, body.to_owned())).ok_or_else(|| io::Error::other("the answer is no HTTP"))
}
