//! The least of HTTP that tests need.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long a server may say nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// The status and body of `GET path`.
pub(crate) fn get(address: &str, path: &str) -> io::Result<(u16, String)> {
    ask("GET", address, path, "", PATIENCE)
}

/// The status and body of `GET path`, asked with this bearer token.
pub(crate) fn get_with_token(address: &str, path: &str, token: &str) -> io::Result<(u16, String)> {
    ask_with("GET", address, path, &format!("Authorization: Bearer {token}\r\n"), "", PATIENCE)
}

/// The status and body of `POST path` with JSON.
pub(crate) fn post(address: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
    ask("POST", address, path, body, PATIENCE)
}

/// The same of a server that takes longer.
pub(crate) fn post_within(
    address: &str,
    path: &str,
    body: &str,
    patience: Duration,
) -> io::Result<(u16, String)> {
    ask("POST", address, path, body, patience)
}

/// The status and body of `DELETE path`.
pub(crate) fn delete(address: &str, path: &str) -> io::Result<(u16, String)> {
    ask("DELETE", address, path, "", PATIENCE)
}

fn ask(method: &str, address: &str, path: &str, body: &str, patience: Duration) -> io::Result<(u16, String)> {
    ask_with(method, address, path, "", body, patience)
}

fn ask_with(
    method: &str,
    address: &str,
    path: &str,
    headers: &str,
    body: &str,
    patience: Duration,
) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(patience))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         {headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    // Some keep the connection open all the same.
    let mut some = [0; 8192];
    while !is_whole(&answer) {
        match stream.read(&mut some)? {
            0 => break,
            read => answer.extend_from_slice(&some[..read]),
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.map(|status| (status, body.to_owned())).ok_or_else(|| io::Error::other("the answer is no HTTP"))
}

/// Whether all of an answer is there that says how long it is.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|(_, length)| length.trim().parse::<usize>().ok());
    length.is_some_and(|length| answer.len() >= head.len() + 4 + length)
}
