//! Exports.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use rollcall::source::Source as _;
use rollcall::source::ldif::{Input, LdifConfig, LdifSource};
use tokio::sync::mpsc;

use super::damage::{Dice, damage};
use super::each;
use super::judge::{dn, id, judge, judge_members};

const USERS: usize = 8;
const GROUPS: usize = 3;

/// A valid export.
fn export() -> String {
    let mut text = "version: 1\n\ndn: dc=corp,dc=example\nobjectClass: domain\ndc: corp\n\n".to_owned();
    for number in 0..USERS {
        let (dn, id) = (dn(number), id(number));
        writeln!(
            text,
            "dn: {dn}\nobjectClass: inetOrgPerson\nuid: user{number:03}\ncn: User {number}\nsn:: w5xzZXI=\n\
             mail: user{number}@corp.example\ndescription: a text that is longer than one line, and goes\n  on in the next\n\
             entryUUID: {id}\n"
        )
        .unwrap();
    }
    for group in 0..GROUPS {
        writeln!(
            text,
            "dn: cn=group{group},ou=groups,dc=corp,dc=example\nobjectClass: groupOfNames\ncn: group{group}\nentryUUID: {}",
            id(USERS + group)
        )
        .unwrap();
        for member in group..USERS {
            writeln!(text, "member: {}", dn(member)).unwrap();
        }
        text.push('\n');
    }
    text
}

async fn read(
    text: Vec<u8>,
) -> (Vec<rollcall::directory::Change>, Result<rollcall::directory::Completion, rollcall::source::SourceError>)
{
    let config = LdifConfig {
        user_filter: None,
        group_filter: None,
        input: Input::Text(text.into()),
        name: "the export".to_owned(),
        directory_id: None,
        anchor: None,
        literal: BTreeSet::new(),
    };
    let (to, mut batches) = mpsc::channel(4);
    let reading = tokio::spawn(async move { LdifSource::new(config).read(None, to.into()).await });
    let mut changes = Vec::new();
    while let Some(batch) = batches.recv().await {
        changes.extend(batch.0);
    }
    (changes, reading.await.unwrap())
}

#[test]
fn no_damage_to_an_export_makes_anybody_vanish() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let whole = export().into_bytes();
    let (changes, ended) = runtime.block_on(read(whole.clone()));
    assert!(ended.is_ok() && changes.len() == USERS + GROUPS, "{ended:?}");
    each("EXPORTS", 300, |dice: &mut Dice| {
        let mut text = whole.clone();
        damage(&mut text, dice);
        let (changes, ended) = runtime.block_on(read(text.clone()));
        let text = String::from_utf8_lossy(&text).replace("\r\n", "\n");
        let sound: Vec<(String, String)> = text.split("\n\n").filter_map(sound).collect();
        let sent = sound.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().join("\n");
        judge(sent.as_bytes(), 0..USERS + GROUPS, &changes, &ended);
        if ended.is_ok() {
            for (id, record) in &sound {
                judge_members(record.as_bytes(), id, USERS, &changes);
            }
        }
    });
}

/// A record that nothing is wrong with, and whose id it states: by lines alone, without a line of it left to doubt.
fn sound(record: &str) -> Option<(String, String)> {
    let record = record.replace("\n ", "");
    let mut lines = record.lines().skip_while(|line| line.starts_with('#') || line.starts_with("version:"));
    lines.next()?.strip_prefix("dn: ")?;
    let (mut ids, mut classes) = (Vec::new(), 0);
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !is_name || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == ':') {
            return None;
        }
        match name.to_lowercase().as_str() {
            "entryuuid" => ids.push(value.to_owned()),
            "objectclass" if matches!(value, "inetOrgPerson" | "groupOfNames") => classes += 1,
            "objectclass" => return None,
            _ => {}
        }
    }
    let known = (0..USERS + GROUPS).map(id).find(|id| ids == [id.as_str()])?;
    (classes == 1).then(|| (known, format!("{record}\n")))
}
