//! What readers of the registry ask.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rollcall::secret::Secret;
use rollcall::serve::{self, Served};
use rollcall::telemetry::Metrics;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::company::Style;
use super::damage::{Dice, damage};
use super::each;
use super::export::source;
use super::sync::{Held, InStep, owner};

const TOKEN: &str = "a-token-that-is-long-enough";
const BASE: &str = "/policies/test/all/scim/v2/";
/// A server that says nothing for so long waits for what will never come.
const QUIET: Duration = Duration::from_millis(30);
/// Within so long it answers what is whole.
const PATIENCE: Duration = Duration::from_secs(5);

/// Valid requests of every kind.
fn requests(held: &Held) -> Vec<String> {
    let (user, group) = (held.users.keys().next().unwrap(), held.groups.keys().next().unwrap());
    let request = |method: &str, path: &str, body: &str| {
        format!(
            "{method} {BASE}{path} HTTP/1.1\r\nHost: registry.test:8443\r\nAuthorization: Bearer {TOKEN}\r\nAccept: \
             application/scim+json\r\nContent-Type: application/scim+json\r\nIf-None-Match: W/\"1\"\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let search = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"userName sw \"user\" and active eq true","startIndex":1,"count":3,"attributes":["userName","emails.value"]}"#;
    let patch = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false}]}"#;
    let (one, other) = (format!("Users/{user}"), format!("Groups/{group}"));
    vec![
        request("GET", &one, ""),
        request("GET", &format!("{one}?attributes=userName,emails"), ""),
        request("GET", &other, ""),
        request("GET", &format!("{other}?excludedAttributes=members"), ""),
        request("GET", "Users", ""),
        request("GET", "Groups?count=2&startIndex=2", ""),
        request(
            "GET",
            "Users?filter=emails%5Btype%20eq%20%22work%22%20and%20value%20co%20%22user1%22%5D%20or%20not%20(active%20pr)",
            "",
        ),
        request("GET", &format!("Groups?filter=members.value%20eq%20%22{user}%22"), ""),
        request("POST", "Users/.search", search),
        request("POST", ".search", search),
        request("GET", "ServiceProviderConfig", ""),
        request("GET", "Schemas/urn:ietf:params:scim:schemas:core:2.0:User", ""),
        request("GET", "ResourceTypes", ""),
        request("PATCH", &one, patch),
        request("PUT", &other, patch),
        request("DELETE", &one, ""),
    ]
}

/// An answer, as it stands on the wire.
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

/// The first answer, and what comes after it; nothing as long as it is not whole.
fn answer(bytes: &[u8]) -> Option<(Answer, &[u8])> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).expect("a head is text");
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().strip_prefix("HTTP/1.1 ").or_else(|| head.strip_prefix("HTTP/1.0 "));
    let status =
        status.and_then(|line| line.get(..3)?.parse().ok()).unwrap_or_else(|| panic!("no status: {head}"));
    let headers: BTreeMap<String, String> = lines
        .map(|line| line.split_once(": ").unwrap_or((line.trim_end_matches(':'), "")))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    assert!(!headers.contains_key("transfer-encoding"), "{head}");
    let rest = &bytes[end + 4..];
    let body =
        if status == 304 { "" } else { std::str::from_utf8(rest.get(..length)?).expect("a body is text") };
    Some((Answer { status, headers, body: body.to_owned() }, &rest[body.len()..]))
}

/// Whether it is one request, whole, with nothing behind it.
fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let Ok(head) = std::str::from_utf8(&request[..end]) else { return false };
    let lengths: Vec<&str> =
        head.split("\r\n").filter_map(|line| line.strip_prefix("Content-Length: ")).collect();
    lengths == [(request.len() - end - 4).to_string()] && head.is_ascii()
}

/// What it is answered with, until the server ends the connection or waits.
async fn ask(address: SocketAddr, request: &[u8]) -> Vec<Answer> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may have been refused before it was sent to its end.
    drop(stream.write_all(request).await);
    let (mut bytes, mut answers) = (Vec::new(), Vec::new());
    let whole = is_whole(request);
    loop {
        while let Some((answer, rest)) = answer(&bytes) {
            answers.push(answer);
            bytes = rest.to_vec();
        }
        let is_due = !bytes.is_empty() || whole && answers.is_empty();
        match timeout(if is_due { PATIENCE } else { QUIET }, stream.read_buf(&mut bytes)).await {
            Ok(Ok(1..)) => {}
            Ok(_) => break,
            Err(_) => {
                assert!(!is_due, "it is not answered");
                break;
            }
        }
    }
    assert!(bytes.is_empty(), "an answer is cut: {}", String::from_utf8_lossy(&bytes));
    answers
}

/// Fails if somebody who is there is said to be gone, or what nobody may see is shown, or the answer is none that is documented.
fn judge(held: &Held, request: &[u8], answer: &Answer) {
    let Answer { status, headers, body } = answer;
    let text = String::from_utf8_lossy(request);
    assert!(
        matches!(status, 200 | 304 | 400..=499 | 501 | 505),
        "{status} is not documented for what cannot be understood: {body}"
    );
    let is_json = serde_json::from_str::<Value>(body);
    if body.is_empty() {
        // What is no HTTP is refused without a word.
        assert!(matches!(status, 304 | 400 | 408 | 413 | 414 | 431 | 505), "{status} says nothing");
    } else {
        assert!(is_json.is_ok(), "{status} is no JSON: {body}");
        assert_eq!(
            headers.get("content-type").map(String::as_str),
            Some("application/scim+json"),
            "{headers:?}"
        );
    }
    if *status == 200 {
        assert!(text.contains(TOKEN), "shown without the token: {body}");
    }
    // One request, whose path and token are as they were.
    let mut lines = text.split("\r\n");
    let path = lines.next().and_then(|line| line.strip_prefix("GET ")?.strip_suffix(" HTTP/1.1"));
    let Some(path) = path.and_then(|path| path.strip_prefix(BASE)) else { return };
    let bearer = format!("Authorization: Bearer {TOKEN}");
    let bearers = text.to_lowercase().matches("authorization").count();
    if !is_whole(request) || bearers != 1 || !lines.any(|line| line == bearer) {
        return;
    }
    let is_there = |of: &str| {
        let id = of.split('?').next().unwrap_or_default();
        let users = held.users.keys().map(|id| format!("Users/{id}"));
        users.chain(held.groups.keys().map(|id| format!("Groups/{id}"))).any(|known| known == id)
    };
    if is_there(path) {
        assert!(!matches!(status, 404 | 410), "{path} is there");
    }
    if let ("Users", 200, Ok(list)) = (path, status, is_json) {
        assert_eq!(list["totalResults"], held.users.len(), "{body}");
    }
}

#[test]
fn no_damage_to_a_request_makes_anybody_vanish() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let in_step = runtime.block_on(InStep::with(&source(Style::OpenLdap.company().export.as_bytes())));
    let running = in_step.again();
    let served = Served::default();
    served.serve(owner(), Secret::new(TOKEN));
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let registry =
        serve::Registry { store: running.store(), served, metrics: Metrics::new(), external_url: None };
    let stop = CancellationToken::new();
    let serving = runtime.spawn(serve::registry(listener, None, registry, stop.clone()));
    let requests = requests(&in_step.held);
    for request in &requests {
        let answers = runtime.block_on(ask(address, request.as_bytes()));
        let expected = if request.starts_with("GET") || request.starts_with("POST") { 200 } else { 501 };
        let found: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert!(found == [expected] || found == [405], "{found:?} to {request}");
    }
    each("REQUESTS", 300, |dice: &mut Dice| {
        let mut request = requests[dice.below(requests.len())].clone().into_bytes();
        damage(&mut request, dice);
        let answers = runtime.block_on(ask(address, &request));
        for answer in answers {
            judge(&in_step.held, &request, &answer);
        }
    });
    assert_eq!(running.held(), in_step.held, "nothing can be written");
    stop.cancel();
    runtime.block_on(serving).unwrap().unwrap();
}
