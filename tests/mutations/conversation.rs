//! What an LDAP server says.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use lber::parse::parse_tag;
use lber::structure::StructureTag;
use rollcall::directory::{Change, Completion};
use rollcall::secret::Secret;
use rollcall::source::ldap::{Bind, GenericConfig, LdapConfig, LdapSource};
use rollcall::source::{Source as _, SourceError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::damage::{Dice, damage};
use super::each;
use super::judge::{dn, id, judge};

const USERS: usize = 12;
const GROUPS: usize = 3;
/// Users of one page.
const PAGE: usize = 5;
/// A client that asks nothing for so long waits for what will never come.
const PATIENCE: Duration = Duration::from_millis(30);

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82], length.as_slice(), content].concat()
}

fn attribute(name: &str, values: &[&str]) -> Vec<u8> {
    let values: Vec<u8> = values.iter().flat_map(|value| element(4, value.as_bytes())).collect();
    element(0x30, &[element(4, name.as_bytes()), element(0x31, &values)].concat())
}

fn entry(dn: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    element(0x64, &[element(4, dn.as_bytes()), element(0x30, &attributes.concat())].concat())
}

fn result(op: u8) -> Vec<u8> {
    element(op, b"\x0a\x01\x00\x04\x00\x04\x00")
}

/// The end of a page, with the cookie of the next.
fn page(cookie: &str) -> Vec<u8> {
    let value = element(0x30, &[b"\x02\x01\x00".to_vec(), element(4, cookie.as_bytes())].concat());
    let control = element(0x30, &[element(4, b"1.2.840.113556.1.4.319"), element(4, &value)].concat());
    [result(0x65), element(0xa0, &control)].concat()
}

fn user(number: usize) -> Vec<u8> {
    let (uid, mail) = (format!("user{number:03}"), format!("user{number}@corp.example"));
    let id = id(number);
    entry(
        &dn(number),
        &[
            attribute("objectClass", &["top", "inetOrgPerson"]),
            attribute("uid", &[&uid]),
            attribute("mail", &[&mail]),
            attribute("entryUUID", &[&id]),
        ],
    )
}

fn group(number: usize) -> Vec<u8> {
    let members: Vec<String> = (number..USERS).map(dn).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let id = id(USERS + number);
    entry(
        &format!("cn=group{number},ou=groups,dc=corp,dc=example"),
        &[
            attribute("objectClass", &["groupOfNames"]),
            attribute("cn", &["group"]),
            attribute("member", &members),
            attribute("entryUUID", &[&id]),
        ],
    )
}

/// What the server answers to this request, without the envelope.
fn answers(request: &StructureTag) -> Vec<Vec<u8>> {
    let operation = request.clone().expect_constructed().unwrap().remove(1);
    if operation.id == 0 {
        return vec![result(0x61)];
    }
    let parts = operation.expect_constructed().unwrap();
    let base = parts[0].clone().expect_primitive().unwrap();
    if base.is_empty() {
        let root = [
            attribute("namingContexts", &["dc=corp,dc=example"]),
            attribute("supportedControl", &["1.2.840.113556.1.4.319"]),
        ];
        return vec![entry("", &root), result(0x65)];
    }
    let only_one = parts[3].clone().expect_primitive().unwrap() == [1];
    if only_one {
        let root = [attribute("objectClass", &["domain"]), attribute("entryUUID", &[&id(999)])];
        return vec![entry("dc=corp,dc=example", &root), result(0x65)];
    }
    let said = format!("{request:?}");
    let groups = format!("{:?}", b"posixGroup".as_slice());
    if said.contains(groups.trim_matches(['[', ']'])) {
        return (0..GROUPS).map(group).chain([page("")]).collect();
    }
    let mark = format!("{:?}", b"cookie-".as_slice());
    let from = (0..USERS).step_by(PAGE).rev().find(|from| {
        let cookie = format!("{:?}", format!("cookie-{from}").as_bytes());
        said.contains(cookie.trim_matches(['[', ']']))
    });
    let from = from.filter(|_| said.contains(mark.trim_matches(['[', ']']))).unwrap_or_default();
    let to = (from + PAGE).min(USERS);
    let next = if to < USERS { format!("cookie-{to}") } else { String::new() };
    (from..to).map(user).chain([page(&next)]).collect()
}

/// Serves one client, with one answer damaged; gives all that it sent.
async fn serve(mut stream: TcpStream, damaged: usize, dice: &mut Dice) -> Vec<u8> {
    let (mut asked, mut sent) = (Vec::new(), Vec::new());
    for number in 0.. {
        let message = loop {
            if let Ok((rest, message)) = parse_tag(&asked) {
                let left = rest.len();
                asked.drain(..asked.len() - left);
                break message;
            }
            match timeout(PATIENCE, stream.read_buf(&mut asked)).await {
                Ok(Ok(1..)) => {}
                _ => return sent,
            }
        };
        let id = message.clone().expect_constructed().unwrap().remove(0).expect_primitive().unwrap();
        let enveloped =
            answers(&message).into_iter().map(|answer| element(0x30, &[element(2, &id), answer].concat()));
        let mut answer: Vec<Vec<u8>> = enveloped.collect();
        if number == damaged {
            // Whole messages too: what comes twice, or in another order.
            if dice.below(4) == 0 {
                let (one, other) = (dice.below(answer.len()), dice.below(answer.len()));
                answer.swap(one, other);
                answer.push(answer[one].clone());
            }
            let mut bytes = answer.concat();
            damage(&mut bytes, dice);
            answer = vec![bytes];
        }
        let bytes = answer.concat();
        // What comes after the end of a search is not of it.
        let done = bytes.windows(4).position(|window| window == [0x65, 0x82, 0, 7]);
        // Entries are read once; whatever asks for less looks at them a second time.
        let reads =
            format!("{message:?}").contains(format!("{:?}", b"mail".as_slice()).trim_matches(['[', ']']));
        if reads {
            sent.extend(&bytes[..done.unwrap_or(bytes.len())]);
        }
        if stream.write_all(&bytes).await.is_err() {
            break;
        }
    }
    sent
}

async fn converse(
    listener: &TcpListener,
    damaged: usize,
    dice: &mut Dice,
) -> (Vec<u8>, Vec<Change>, Result<Completion, SourceError>) {
    let config = LdapConfig {
        urls: vec![format!("ldap://{}", listener.local_addr().unwrap())],
        start_tls: false,
        insecure: true,
        ca_pem: None,
        server_name: None,
        bind: Some(Bind { dn: "cn=reader".to_owned(), password: Secret::new("secret") }),
        base_dns: Vec::new(),
        exclude_dns: Vec::new(),
        user_filter: None,
        group_filter: None,
        literal: BTreeSet::new(),
        page_size: 50,
    };
    let (to, mut batches) = mpsc::channel(4);
    let reading = tokio::spawn(async move {
        LdapSource::new(GenericConfig { ldap: config, anchor: None, sync_repl: false })
            .read(None, to.into())
            .await
    });
    let (stream, _) = listener.accept().await.unwrap();
    let hearing = async {
        let mut changes = Vec::new();
        while let Some(batch) = batches.recv().await {
            changes.extend(batch.0);
        }
        changes
    };
    let (sent, changes) = tokio::join!(serve(stream, damaged, dice), hearing);
    (sent, changes, reading.await.unwrap())
}

#[test]
fn no_damage_to_a_conversation_makes_anybody_vanish() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let (_, changes, ended) = runtime.block_on(converse(&listener, usize::MAX, &mut Dice::of(0)));
    assert!(ended.is_ok() && changes.len() == USERS + GROUPS, "{ended:?} {changes:?}");
    each("CONVERSATIONS", 200, |dice: &mut Dice| {
        let damaged = dice.below(7);
        let (sent, changes, ended) = runtime.block_on(converse(&listener, damaged, dice));
        judge(&sent, 0..USERS + GROUPS, &changes, &ended);
    });
}
