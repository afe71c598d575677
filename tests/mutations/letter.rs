//! What a Sync Engine sends: by an engine that is enrolled, so that nothing keeps it from being unpacked, and by whoever is on the way.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rollcall::clock::{Clock as _, SystemClock};
use rollcall::directory::{
    Anchor, Batch, Change, Completion, ConnectorName, Dn, Entry, Members, Reference, Stated,
};
use rollcall::gateway::{self, Gateway};
use rollcall::source::engine::EngineConfig;
use rollcall::source::{Source as _, SourceConfig, SourceError};
use rollcall::telemetry::Metrics;
use rollcall::wire::{self, Chain, End, Hello, Outcome, Question, SigningKey, Stamp, Task, path};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::damage::{Dice, damage};
use super::each_text;

/// Within so long it answers what is whole.
const PATIENCE: Duration = Duration::from_secs(5);
/// A key sends no more requests than this: the gateway remembers them all, and bounds them.
const OF_A_KEY: usize = 5000;
/// How a request may be refused.
const CODES: [&str; 12] = [
    "unsigned",
    "instance",
    "key",
    "signature",
    "replayed",
    "clock",
    "busy",
    "tooLarge",
    "invalid",
    "chain",
    "gone",
    "notFound",
];

fn corp() -> ConnectorName {
    ConnectorName::new("id", "corp")
}

fn directory() -> wire::Directory {
    wire::Directory {
        server: wire::Server::Ldap,
        base_dns: Vec::new(),
        exclude_dns: Vec::new(),
        user_filter: None,
        group_filter: None,
        change_feed: wire::ChangeFeed::Auto,
        anchor: None,
        page_size: 100,
        literal: BTreeSet::from(["audio".to_owned()]),
    }
}

/// A person, and a group of three.
fn entries(number: usize) -> [Change; 2] {
    let dn = |of: usize| Dn::parse(&format!("uid=user{of},ou=people,dc=corp")).unwrap();
    let stated = |text: String| Stated::Values(vec![text, "\u{e4}\"\\".to_owned()]);
    let user = Entry {
        anchor: Anchor::new(format!("id-{number}")),
        dn: dn(number).to_string(),
        names: vec![Reference::Dn(dn(number)), Reference::Uid(format!("user{number}"))],
        fields: [("mail".to_owned(), stated(format!("user{number}@corp.example")))].into(),
        attributes: [("audio".to_owned(), Stated::Undecodable)].into(),
        ..Entry::nobody()
    };
    let members = (number..number + 3).map(|of| Reference::Dn(dn(of))).collect();
    let group = Entry {
        anchor: Anchor::new(format!("group-{number}")),
        members: Members::Complete(members),
        ..user.clone()
    };
    [Change::Replace(Box::new(user)), Change::Replace(Box::new(group))]
}

/// Other things that a batch may say.
fn others() -> Vec<Change> {
    vec![
        Change::Tombstone(Anchor::new("gone")),
        Change::Unchanged(Anchor::new("as before")),
        Change::Gap { record: "line 7".to_owned() },
        Change::MembersDelta {
            group: Anchor::new("group-1"),
            added: vec![Reference::Sid("S-1-5-32-544".to_owned())],
            removed: vec![Reference::Address("ann@corp.example".to_owned())],
        },
    ]
}

fn sent(changes: Vec<Change>) -> Vec<wire::Change> {
    changes.into_iter().map(wire::Change::from).collect()
}

fn completion() -> wire::Completion {
    wire::Completion {
        mode: wire::Mode::Full,
        directory: "dc=corp".to_owned(),
        id: Some("entryUUID".to_owned()),
        server: Some("ldap://dc1".to_owned()),
        cursor: Some("0102ff".to_owned()),
        fields: BTreeSet::from(["mail".to_owned()]),
        attributes: BTreeSet::from(["audio".to_owned()]),
        scope: "everything".to_owned(),
        notices: vec!["a notice".to_owned()],
        vendor: None,
        feed: Some(wire::Feed { active: "FullRead".to_owned(), reason: String::new() }),
        shown: wire::Shown { certificate_ends_at: Some(Timestamp::UNIX_EPOCH), ..wire::Shown::default() },
    }
}

fn text<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

/// A text as it is sent, whatever is in it.
fn packed(text: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(text, 1).unwrap()
}

/// Whether it is taken; if so, it says the same when it is sent again.
fn taken<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(text: &[u8]) {
    if let Ok(value) = wire::unpack::<T>(&packed(text), wire::LETTER) {
        assert_eq!(wire::unpack::<T>(&wire::pack(&value).unwrap(), wire::LETTER).as_ref(), Ok(&value));
    }
}

#[test]
fn letters_are_taken_or_refused() {
    let batch = sent([entries(1).to_vec(), others()].concat());
    let hello = Hello {
        oldest: 1,
        newest: 1,
        software: "1.2".to_owned(),
        host: "inside".to_owned(),
        has: BTreeSet::from(["a".to_owned()]),
        stopped: Some("for now".to_owned()),
    };
    let question = Question::Naming { attribute: "memberUid".to_owned(), dns: ["cn=a".to_owned()].into() };
    let chain = Chain::of("task", b"");
    let complete = End { outcome: Outcome::Complete(chain.seal(), Box::new(completion())) };
    let found = wire::LookedUp {
        found: vec!["a".to_owned()],
        of_no_kind: vec![("b".to_owned(), "cn=b".to_owned(), "why".to_owned(), vec![wire::Kind::Group])],
        called: [("a".to_owned(), vec!["cn=a".to_owned()])].into(),
        ..wire::LookedUp::default()
    };
    let found = End { outcome: Outcome::LookedUp(Box::new(found)) };
    let join = wire::Join { key: "00".repeat(32), host: "inside".to_owned() };
    let texts = [text(&batch), text(&hello), text(&question), text(&complete), text(&found), text(&join)];
    let stamp = Stamp {
        key: SigningKey::generate().unwrap().0.public().unwrap().id(),
        instance: "0".repeat(32),
        session: "1".repeat(48),
        at: Timestamp::UNIX_EPOCH,
        nonce: "2".repeat(32),
        body: "3".repeat(64),
    };
    let header = SigningKey::generate().unwrap().0.sign(&stamp, "POST", path::WORK);
    each_text("LETTERS", 2000, |dice| {
        let of = dice.below(texts.len());
        let mut bytes = texts[of].clone();
        if dice.below(4) == 0 {
            let other = &texts[dice.below(texts.len())];
            bytes.truncate(dice.below(bytes.len() + 1));
            bytes.extend(&other[dice.below(other.len() + 1)..]);
        }
        damage(&mut bytes, dice);
        match of {
            0 => {
                taken::<Vec<wire::Change>>(&bytes);
                // Whatever can be a change of the directory can be sent on.
                let came = wire::unpack::<Vec<wire::Change>>(&packed(&bytes), wire::UNPACKED);
                for change in came.into_iter().flatten().filter_map(|change| Change::try_from(change).ok()) {
                    let again = wire::Change::from(change.clone());
                    assert_eq!(Change::try_from(again).as_ref(), Ok(&change));
                }
            }
            1 => taken::<Hello>(&bytes),
            2 => taken::<Question>(&bytes),
            3 | 4 => taken::<End>(&bytes),
            _ => taken::<wire::Join>(&bytes),
        }
        // And what is not packed as it should be.
        let mut whole = packed(&texts[of]);
        damage(&mut whole, dice);
        drop(wire::unpack::<Value>(&whole, wire::LETTER));
        let mut head = header.clone().into_bytes();
        damage(&mut head, dice);
        if let Some(signed) = wire::Signed::parse(&String::from_utf8_lossy(&head)) {
            assert_eq!(signed.stamp.session.len(), 48);
        }
    });
}

/// An engine that is enrolled, with a gateway.
struct Engine {
    gateway: Gateway,
    address: SocketAddr,
    stream: Option<TcpStream>,
    instance: String,
    key: SigningKey,
    session: String,
    said: usize,
}

/// An answer: its status and its body.
type Answer = (u16, Vec<u8>);

impl Engine {
    async fn start(stop: CancellationToken) -> Self {
        let (gateway, _) = Gateway::new("https://gw.example");
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let with = (Arc::new(SystemClock) as Arc<_>, Metrics::new());
        tokio::spawn(gateway::gateway(listener, None, gateway.clone(), with, stop));
        let key = SigningKey::generate().unwrap().0;
        let session = Stamp::session_of(SystemClock.now()).unwrap();
        let mut engine =
            Self { gateway, address, stream: None, instance: String::new(), key, session, said: OF_A_KEY };
        let hello = b"GET /v1/hello HTTP/1.1\r\nHost: gw.example\r\n\r\n";
        let (_, greeting) = engine.exchange(hello).await.unwrap();
        engine.instance = serde_json::from_slice::<wire::Greeting>(&greeting).unwrap().instance;
        engine
    }

    /// Sends a request as it is; `None` if the server ends the connection without a word.
    async fn exchange(&mut self, request: &[u8]) -> Option<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => TcpStream::connect(self.address).await.unwrap(),
        };
        // It may have been refused before it was sent to its end.
        drop(stream.write_all(request).await);
        let mut bytes = Vec::new();
        loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = std::str::from_utf8(&bytes[..end]).expect("a head is text").to_lowercase();
                let status = head.get(9..12).and_then(|status| status.parse().ok()).expect("a status");
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length.map_or(0, |length| length.parse().unwrap());
                if bytes.len() >= end + 4 + length {
                    let body = bytes[end + 4..end + 4 + length].to_vec();
                    if !head.contains("connection: close") && bytes.len() == end + 4 + length {
                        self.stream = Some(stream);
                    }
                    return Some((status, body));
                }
            }
            match timeout(PATIENCE, stream.read_buf(&mut bytes)).await.expect("it is answered") {
                Ok(1..) => {}
                _ => return None,
            }
        }
    }

    /// Says something that is signed; `alter` changes the signature.
    async fn say(&mut self, at: &str, body: &[u8], alter: impl FnOnce(&mut Vec<u8>)) -> Option<Answer> {
        self.said += 1;
        let stamp = Stamp {
            key: self.key.public().unwrap().id(),
            instance: self.instance.clone(),
            session: self.session.clone(),
            at: SystemClock.now(),
            nonce: Stamp::nonce().unwrap(),
            body: wire::digest(body),
        };
        let whole = self.key.sign(&stamp, "POST", at).into_bytes();
        let mut signature = whole.clone();
        alter(&mut signature);
        let head = format!("POST {at} HTTP/1.1\r\nHost: gw.example\r\nContent-Length: {}\r\n", body.len());
        let request = [head.as_bytes(), b"Authorization: ", signature.as_slice(), b"\r\n\r\n", body].concat();
        let answer = self.exchange(&request).await;
        if signature != whole {
            // It may have been taken for two requests: what comes after the first answer belongs to no other.
            self.stream = None;
        }
        answer
    }

    /// A read, and the task that it became.
    async fn begin(&mut self) -> (JoinHandle<(Vec<Change>, Result<Completion, SourceError>)>, Task) {
        if self.said >= OF_A_KEY {
            (self.said, self.key) = (0, SigningKey::generate().unwrap().0);
            self.gateway.engines.enrol(&corp(), Some(self.key.public().unwrap()));
        }
        let config = EngineConfig {
            connector: corp(),
            engines: self.gateway.engines.clone(),
            directory: directory(),
            key: String::new(),
        };
        let reading = tokio::spawn(async move {
            let (to, mut batches) = mpsc::channel::<Batch>(8);
            let session = SourceConfig::Engine(config).open(None);
            let end = session.read(None, to.into()).await;
            let mut came = Vec::new();
            while let Ok(batch) = batches.try_recv() {
                came.extend(batch.0);
            }
            (came, end)
        });
        let hello = Hello {
            oldest: wire::OLDEST,
            newest: wire::PROTOCOL,
            software: "9.9".to_owned(),
            host: "inside".to_owned(),
            has: BTreeSet::new(),
            stopped: None,
        };
        loop {
            let answer = self.say(path::WORK, &wire::pack(&hello).unwrap(), |_| ()).await.unwrap();
            let work: wire::Work = wire::unpack(&answer.1, wire::LETTER).unwrap();
            if let Some(task) = work.task {
                return (reading, task);
            }
        }
    }
}

fn judge(answer: Option<&Answer>) -> bool {
    // What is no HTTP is refused without a word.
    let Some((status, body)) = answer else { return false };
    if *status == 200 {
        assert!(wire::unpack::<Value>(body, wire::TOLD).is_ok());
        return true;
    }
    assert!((400..500).contains(status), "{status} is not documented");
    if !body.is_empty() {
        let refusal: wire::Refusal = serde_json::from_slice(body).expect("a refusal");
        assert!(CODES.contains(&refusal.code.as_str()) && !refusal.message.is_empty(), "{refusal:?}");
    }
    false
}

#[test]
fn no_damage_to_what_an_engine_sends_makes_a_read_look_whole() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stop = CancellationToken::new();
    let mut engine = runtime.block_on(Engine::start(stop.clone()));
    let mut wholes = 0;
    each_text("ENGINES", 150, |dice: &mut Dice| {
        runtime.block_on(async {
            let (reading, task) = engine.begin().await;
            let batches: [Vec<Change>; 3] = [entries(1).to_vec(), others(), entries(2).to_vec()];
            let mut texts: Vec<Vec<u8>> = batches.into_iter().map(|batch| text(&sent(batch))).collect();
            // Which of the five letters is damaged, and how.
            let (which, how) = (dice.below(6), dice.below(4));
            let mut chain = Chain::of_task(&task);
            let (mut all_taken, mut stated) = (true, 0);
            let send = async |engine: &mut Engine, of: usize, at: &str, body: &[u8], dice: &mut Dice| {
                let alter = |signature: &mut Vec<u8>| {
                    if which == of && how == 2 {
                        damage(signature, dice);
                    }
                };
                judge(engine.say(at, body, alter).await.as_ref())
            };
            for (of, batch) in texts.iter_mut().enumerate() {
                if which == of && how == 0 {
                    damage(batch, dice);
                }
                let mut body = packed(batch);
                if which == of && how == 1 {
                    damage(&mut body, dice);
                }
                let (mut framed, next) = chain.part(&body, true);
                if which == of && how == 3 {
                    damage(&mut framed, dice);
                }
                let at = path::part(&task.id, chain.next());
                let is_taken = send(&mut engine, of, &at, &framed, &mut *dice).await;
                if is_taken {
                    stated += serde_json::from_slice::<Vec<Value>>(batch).map_or(0, |all| all.len());
                }
                (all_taken, chain) = (all_taken && is_taken, next);
            }
            let complete = Outcome::Complete(chain.seal(), Box::new(completion()));
            let mut letters =
                [text(&Question::Called(vec!["a".to_owned()])), text(&End { outcome: complete })];
            let mut has_ended = false;
            for (of, letter) in (3..).zip(&mut letters) {
                if which == of && how == 0 {
                    damage(letter, dice);
                }
                let mut body = packed(letter);
                if which == of && how == 1 {
                    damage(&mut body, dice);
                }
                let end = path::end(&task.id);
                let mut at = if of == 3 { path::ask(&task.id) } else { end.clone() };
                if which == of && how == 3 {
                    let slash = at.rfind('/').unwrap();
                    at.truncate(slash + dice.below(3));
                    at.push_str(["", "end", "ask", "parts/3", "room"][dice.below(5)]);
                }
                has_ended = send(&mut engine, of, &at, &body, &mut *dice).await && of == 4 && at == end;
            }
            if !has_ended {
                reading.abort();
                return;
            }
            let (came, end) = timeout(PATIENCE, reading).await.expect("the read ends").unwrap();
            if end.is_ok() {
                assert!(all_taken, "a part was refused, and the read looks whole");
                assert_eq!(came.len(), stated, "what came is not what was sent");
                wholes += 1;
            }
        });
    });
    assert!(wholes > 0, "what is not damaged is taken");
    stop.cancel();
}
