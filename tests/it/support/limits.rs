//! A proxy that keeps to the limits of a real domain controller, which Samba does not: 1,000 entries a search or
//! page (`MaxPageSize`), 1,500 values of `member` at once (`MaxValRange`).

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use lber::common::TagClass;
use lber::parse::parse_tag;
use lber::structure::{PL, StructureTag};
use lber::write;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const PAGE: usize = 1000;
const VALUES: usize = 1500;

const SEARCH: u64 = 3;
const ENTRY: u64 = 4;
const DONE: u64 = 5;

/// What else it does.
#[derive(Clone, Default)]
pub(crate) struct Deviations {
    /// Groups, by their `cn`, that have so many members.
    pub(crate) members: BTreeMap<String, usize>,
    /// So many entries come in one page of `DirSync`.
    pub(crate) changes: Option<usize>,
    /// `DirSync` tells of who was deleted the id alone, as to an account that may not see them.
    pub(crate) nameless: bool,
    /// From this member on nothing is given, without a word.
    pub(crate) break_at: Option<usize>,
}

/// Listens until it is dropped.
pub(crate) struct Limits {
    pub(crate) port: u16,
    task: JoinHandle<()>,
}

/// What is known of the searches of one connection.
#[derive(Default)]
struct Searches {
    /// By message: the first member that was asked for.
    from: HashMap<u64, usize>,
    /// By message: whether it asked for pages, and how many entries came.
    came: HashMap<u64, (bool, usize)>,
    /// By message: which page of `DirSync` was asked for, and after which cookie of the server's.
    dir_sync: HashMap<u64, (usize, Vec<u8>)>,
}

impl Limits {
    /// In front of a domain controller's plain port.
    pub(crate) async fn start(server: Ipv4Addr, deviations: Deviations) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect((server, 389)).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let searches = Arc::new(Mutex::new(Searches::default()));
                let (asked, deviations) = (searches.clone(), deviations.clone());
                tokio::spawn(relay(from_client, to_server, move |message| {
                    Some(asked.lock().unwrap().request(message))
                }));
                tokio::spawn(relay(from_server, to_client, move |message| {
                    searches.lock().unwrap().response(message, &deviations)
                }));
            }
        });
        Self { port, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }
}

impl Drop for Limits {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Passes messages on as `change` makes them.
async fn relay(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut change: impl FnMut(StructureTag) -> Option<StructureTag>,
) {
    let mut buffer = BytesMut::new();
    loop {
        while let Ok((rest, message)) = parse_tag(&buffer) {
            let rest = BytesMut::from(rest);
            buffer = rest;
            if let Some(message) = change(message) {
                let mut encoded = BytesMut::new();
                write::encode_into(&mut encoded, message).unwrap();
                if to.write_all(&encoded).await.is_err() {
                    return;
                }
            }
        }
        if !matches!(from.read_buf(&mut buffer).await, Ok(1..)) {
            return;
        }
    }
}

impl Searches {
    fn request(&mut self, message: StructureTag) -> StructureTag {
        let mut parts = constructed(message);
        let id = number(&parts[0]);
        if parts[1].id == SEARCH {
            let search = constructed(parts[1].clone());
            let mut asked = constructed(search[7].clone()).into_iter().map(text);
            let from =
                asked.find_map(|name| name.strip_prefix("member;range=")?.split('-').next()?.parse().ok());
            self.from.insert(id, from.unwrap_or(0));
            let mut paged = false;
            if let Some(controls) = parts.get_mut(2) {
                let limited = constructed(controls.clone()).into_iter().map(|control| {
                    let control = limit_page(control, &mut paged);
                    let (control, page) = strip_page(control);
                    self.dir_sync.extend(page.map(|page| (id, page)));
                    control
                });
                controls.payload = PL::C(limited.collect());
            }
            self.came.insert(id, (paged, 0));
        }
        sequence(parts)
    }

    fn response(&mut self, message: StructureTag, deviations: &Deviations) -> Option<StructureTag> {
        let mut parts = constructed(message);
        let id = number(&parts[0]);
        match parts[1].id {
            ENTRY => {
                let (_, came) = self.came.get_mut(&id).unwrap();
                *came += 1;
                match (self.dir_sync.get(&id), deviations.changes) {
                    // What comes before and after this page is left out.
                    (Some((page, _)), Some(size)) if (*came - 1) / size != *page => return None,
                    (None, _) if *came > PAGE => return None,
                    _ => {}
                }
                let from = self.from[&id];
                let mut entry = constructed(parts[1].clone());
                let dn = text(entry[0].clone());
                let mut attributes = constructed(entry[1].clone());
                if deviations.nameless && self.dir_sync.contains_key(&id) && dn.contains("\\0ADEL:") {
                    entry[0] = octets(b"");
                    let name = |one: &StructureTag| text(constructed(one.clone())[0].clone());
                    attributes.retain(|one| name(one) == "objectGUID");
                }
                entry[1] = sequence(attributes.into_iter().flat_map(|one| in_parts(one, from)).collect());
                let filled = deviations.members.iter().find(|(cn, _)| dn.contains(&format!("CN={cn},")));
                if let Some((_, count)) = filled {
                    entry[1] = fill(entry[1].clone(), from, *count, deviations.break_at);
                }
                parts[1].payload = PL::C(entry);
            }
            DONE if self.came.get(&id).is_some_and(|(paged, came)| !paged && *came > PAGE) => {
                let mut done = constructed(parts[1].clone());
                done[0].payload = PL::P(vec![4]);
                parts[1].payload = PL::C(done);
            }
            DONE => {
                let asked = self.dir_sync.get(&id).zip(deviations.changes);
                if let Some(((page, cookie), size)) = asked
                    && self.came[&id].1 > (page + 1) * size
                    && let Some(controls) = parts.get_mut(2)
                {
                    let more =
                        constructed(controls.clone()).into_iter().map(|one| with_page(one, page + 1, cookie));
                    controls.payload = PL::C(more.collect());
                }
            }
            _ => {}
        }
        Some(sequence(parts))
    }
}

const DIR_SYNC: &str = "1.2.840.113556.1.4.841";
/// Ends the cookies of pages that are not the first.
const MARK: &[u8] = b"page";

/// A request for a page of `DirSync` as the server knows it, and which page that is.
fn strip_page(control: StructureTag) -> (StructureTag, Option<(usize, Vec<u8>)>) {
    let mut parts = constructed(control.clone());
    if text(parts[0].clone()) != DIR_SYNC {
        return (control, None);
    }
    let value = parts.last_mut().unwrap();
    let mut asked = decoded(value);
    let mut cookie = primitive(asked[2].clone());
    let page = match cookie.strip_suffix(MARK) {
        Some(rest) => {
            let (page, rest) = rest.split_last().unwrap();
            let page = usize::from(*page);
            cookie = rest.to_vec();
            page
        }
        None => 0,
    };
    asked[2].payload = PL::P(cookie.clone());
    value.payload = PL::P(encoded(sequence(asked)));
    (sequence(parts), Some((page, cookie)))
}

/// The answer that there is more, from this page on.
fn with_page(control: StructureTag, page: usize, cookie: &[u8]) -> StructureTag {
    let mut parts = constructed(control.clone());
    if text(parts[0].clone()) != DIR_SYNC {
        return control;
    }
    let value = parts.last_mut().unwrap();
    let mut said = decoded(value);
    said[0].payload = PL::P(vec![1]);
    said[2].payload = PL::P([cookie, &[u8::try_from(page).unwrap()], MARK].concat());
    value.payload = PL::P(encoded(sequence(said)));
    sequence(parts)
}

fn decoded(value: &StructureTag) -> Vec<StructureTag> {
    let (_, tag) = parse_tag(&primitive(value.clone())).map_err(|_| ()).unwrap();
    constructed(tag)
}

fn encoded(tag: StructureTag) -> Vec<u8> {
    let mut encoded = BytesMut::new();
    write::encode_into(&mut encoded, tag).unwrap();
    encoded.to_vec()
}

/// Larger pages than it gives are as large as it gives.
fn limit_page(control: StructureTag, paged: &mut bool) -> StructureTag {
    let mut parts = constructed(control);
    if text(parts[0].clone()) == "1.2.840.113556.1.4.319" {
        *paged = true;
        let value = parts.last_mut().unwrap();
        let mut asked = decoded(value);
        if number(&asked[0]) > PAGE as u64 {
            asked[0].payload = PL::P(vec![3, 232]);
        }
        value.payload = PL::P(encoded(sequence(asked)));
    }
    sequence(parts)
}

/// `member`, or a part of it, in parts that are not too large.
fn in_parts(attribute: StructureTag, from: usize) -> Vec<StructureTag> {
    let parts = constructed(attribute.clone());
    let (name, values) = (text(parts[0].clone()), constructed(parts[1].clone()));
    if !name.starts_with("member") || values.len() <= VALUES {
        return vec![attribute];
    }
    part(from, values.into_iter().take(VALUES).collect(), false)
}

/// The attribute without values, and the one with a part of them.
fn part(from: usize, values: Vec<StructureTag>, last: bool) -> Vec<StructureTag> {
    let to = if last { "*".to_owned() } else { (from + values.len() - 1).to_string() };
    let named = |name: &str, values| sequence(vec![octets(name.as_bytes()), set(values)]);
    vec![named("member", Vec::new()), named(&format!("member;range={from}-{to}"), values)]
}

/// Made-up members instead of those that are there.
fn fill(attributes: StructureTag, from: usize, count: usize, break_at: Option<usize>) -> StructureTag {
    let mut kept = constructed(attributes);
    kept.retain(|attribute| !text(constructed(attribute.clone())[0].clone()).starts_with("member"));
    if break_at.is_none_or(|at| from < at) {
        let to = count.min(from + VALUES);
        let value =
            |at: usize| octets(format!("<GUID={at:032x}>;CN=m{at},DC=ad,DC=example,DC=test").as_bytes());
        kept.extend(part(from, (from..to).map(value).collect(), to == count));
    }
    sequence(kept)
}

fn sequence(parts: Vec<StructureTag>) -> StructureTag {
    StructureTag { class: TagClass::Universal, id: 16, payload: PL::C(parts) }
}

fn set(parts: Vec<StructureTag>) -> StructureTag {
    StructureTag { class: TagClass::Universal, id: 17, payload: PL::C(parts) }
}

fn octets(bytes: &[u8]) -> StructureTag {
    StructureTag { class: TagClass::Universal, id: 4, payload: PL::P(bytes.to_vec()) }
}

fn constructed(tag: StructureTag) -> Vec<StructureTag> {
    tag.expect_constructed().unwrap()
}

fn primitive(tag: StructureTag) -> Vec<u8> {
    tag.expect_primitive().unwrap()
}

fn text(tag: StructureTag) -> String {
    String::from_utf8(primitive(tag)).unwrap()
}

fn number(tag: &StructureTag) -> u64 {
    primitive(tag.clone()).iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}
