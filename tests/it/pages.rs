//! Pages as servers give them that are not OpenLDAP: at a limit within a page, and without a word whether there are more. The server
//! is ours, so that every test run sees what `make servers` saw of others.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use lber::parse::parse_tag;
use lber::structure::StructureTag;
use rollcall::source::Reason;
use rollcall::source::ldap::LdapConfig;
use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::ldap;

const CONTEXT: &str = "dc=corp,dc=example";
const PEOPLE: usize = 40;

/// How the server gives pages.
#[derive(Clone, Copy)]
struct Habits {
    /// What comes of a page before it ends at a limit, if it is not smaller than that.
    limit: usize,
    /// Whether it says whether there are more.
    says: bool,
    /// Whether it gives pages at all.
    pages: bool,
    /// How many it has.
    people: usize,
}

const USUAL: Habits = Habits { limit: 1000, says: true, pages: true, people: PEOPLE };

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82], length.as_slice(), content].concat()
}

fn entry(dn: &str, attributes: &[(&str, &str)]) -> Vec<u8> {
    let attribute = |(name, value): &(&str, &str)| {
        let values = element(0x31, &element(4, value.as_bytes()));
        element(0x30, &[element(4, name.as_bytes()), values].concat())
    };
    let attributes: Vec<u8> = attributes.iter().flat_map(attribute).collect();
    element(0x64, &[element(4, dn.as_bytes()), element(0x30, &attributes)].concat())
}

fn person(number: usize) -> Vec<u8> {
    let (uid, id) = (format!("u{number:03}"), format!("00000000-0000-0000-0000-{number:012}"));
    entry(
        &format!("uid={uid},{CONTEXT}"),
        &[("objectClass", "inetOrgPerson"), ("uid", &uid), ("entryUUID", &id)],
    )
}

fn done(code: u8, next: Option<usize>) -> Vec<u8> {
    let result = element(0x65, &[b"\x0a\x01", [code].as_slice(), b"\x04\x00\x04\x00"].concat());
    let Some(next) = next else { return result };
    let cookie = if next == 0 { String::new() } else { next.to_string() };
    let value = element(0x30, &[b"\x02\x01\x00".to_vec(), element(4, cookie.as_bytes())].concat());
    let control = element(0x30, &[element(4, b"1.2.840.113556.1.4.319"), element(4, &value)].concat());
    [result, element(0xa0, &control)].concat()
}

fn bytes(tag: &StructureTag) -> Vec<u8> {
    tag.clone().expect_primitive().unwrap_or_default()
}

/// The size of the page that is asked for, and where it begins.
fn asked_for(controls: &StructureTag) -> (usize, usize) {
    for control in controls.clone().expect_constructed().unwrap() {
        let parts = control.expect_constructed().unwrap();
        if bytes(&parts[0]) == b"1.2.840.113556.1.4.319" {
            let (_, value) = parse_tag(&bytes(parts.last().unwrap())).unwrap();
            let value = value.expect_constructed().unwrap();
            let size = bytes(&value[0]).iter().fold(0, |size, byte| size << 8 | usize::from(*byte));
            let from = String::from_utf8(bytes(&value[1])).unwrap();
            return (size, from.parse().unwrap_or(0));
        }
    }
    panic!("no page is asked for");
}

fn answers(message: &[StructureTag], habits: Habits) -> Vec<Vec<u8>> {
    let operation = &message[1];
    if operation.id == 0 {
        return vec![element(0x61, b"\x0a\x01\x00\x04\x00\x04\x00")];
    }
    let parts = operation.clone().expect_constructed().unwrap();
    if bytes(&parts[0]).is_empty() {
        let root = [("namingContexts", CONTEXT), ("supportedControl", "1.2.840.113556.1.4.319")];
        return vec![entry("", &root), done(0, None)];
    }
    if bytes(&parts[1]) == [0] || bytes(&parts[3]) == [1] {
        let base = [("objectClass", "domain"), ("entryUUID", "00000000-0000-0000-0000-999999999999")];
        return vec![entry(CONTEXT, &base), done(0, None)];
    }
    let filter = format!("{:?}", parts[6]);
    let of_people = format!("{:?}", b"person".as_slice());
    if !filter.contains(of_people.trim_matches(['[', ']'])) {
        return vec![done(0, Some(0))];
    }
    let (size, from) = asked_for(&message[2]);
    let people = |from: usize, to: usize| (from..to).map(person).collect::<Vec<_>>();
    if !habits.pages {
        return [people(0, habits.people), vec![done(0, None)]].concat();
    }
    if size >= habits.limit {
        return [people(from, from + habits.limit), vec![done(4, None)]].concat();
    }
    let to = habits.people.min(from + size);
    let next = habits.says.then_some(if to < habits.people { to } else { 0 });
    [people(from, to), vec![done(0, next)]].concat()
}

async fn serve(mut stream: TcpStream, habits: Habits) {
    let mut asked = Vec::new();
    loop {
        let message = loop {
            if let Ok((rest, message)) = parse_tag(&asked) {
                let left = rest.len();
                asked.drain(..asked.len() - left);
                break message;
            }
            if !matches!(stream.read_buf(&mut asked).await, Ok(1..)) {
                return;
            }
        };
        let message = message.expect_constructed().unwrap();
        // It says good-bye.
        if message[1].id == 2 {
            return;
        }
        let id = bytes(&message[0]);
        let answers = answers(&message, habits).into_iter();
        let answer = answers.flat_map(|answer| element(0x30, &[element(2, &id), answer].concat()));
        stream.write_all(&answer.collect::<Vec<_>>()).await.unwrap();
    }
}

/// Reads everything in pages of this size: who came, and each as often as they came, or how it ended.
async fn read(habits: Habits, page_size: u32) -> Result<Vec<String>, (Reason, String)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("ldap://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, habits));
        }
    });
    let config = LdapConfig { page_size, ..ldap::config(&[&url]) };
    let (changes, ended) = ldap::go_on(ldap::generic(config), None, std::sync::Arc::default()).await;
    serving.abort();
    let came = ldap::entries(&changes).iter().map(|entry| entry.dn.clone()).collect();
    ended.map(|_| came).map_err(|error| (error.reason, error.message))
}

#[rstest]
#[case::smaller_than_the_limit(Habits { limit: 10, ..USUAL }, 9)]
#[case::as_large_as_the_limit(Habits { limit: 10, ..USUAL }, 10)]
#[case::larger(Habits { limit: 10, ..USUAL }, 500)]
#[case::far_smaller_in_the_end(Habits { limit: 2, ..USUAL }, 500)]
#[case::as_many_as_there_are(USUAL, 40)]
#[case::the_last_page_says_nothing_and_is_not_full(Habits { says: false, ..USUAL }, 41)]
#[case::a_full_page_that_says_nothing_is_all_there_is(Habits { says: false, ..USUAL }, 40)]
#[case::without_pages(Habits { pages: false, ..USUAL }, 7)]
#[case::without_pages_as_many_as_there_are(Habits { pages: false, ..USUAL }, 40)]
#[tokio::test]
async fn everybody_comes_once_whatever_the_pages_are_like(#[case] habits: Habits, #[case] page_size: u32) {
    let came = read(habits, page_size).await.unwrap();
    let different: BTreeSet<&String> = came.iter().collect();
    assert_eq!((came.len(), different.len()), (habits.people, habits.people));
}

#[tokio::test]
async fn a_full_page_without_a_word_is_no_end() {
    let (reason, message) = read(Habits { says: false, ..USUAL }, 20).await.unwrap_err();
    assert_eq!(reason, Reason::Interrupted);
    assert!(
        message.contains("does not say whether there are more") && message.contains("pageSize"),
        "{message}"
    );
}

#[tokio::test]
async fn a_limit_of_one_is_none_that_pages_keep() {
    let (reason, message) = read(Habits { limit: 1, ..USUAL }, 500).await.unwrap_err();
    assert_eq!(reason, Reason::LimitExceeded);
    assert!(message.contains("pageSize"), "{message}");
}
