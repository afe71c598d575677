//! The company as an export (LDIF), written as real servers and tools write: they say the same in many ways.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::dice::Dice;
use crate::reader::Reader;
use crate::world::{Person, Team, World};

/// One record: the DN, and each attribute with its values.
#[derive(Clone, Debug)]
struct Record {
    dn: String,
    attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl Record {
    fn new(dn: String, class: &str) -> Self {
        let mut record = Self { dn, attributes: Vec::new() };
        record.add("objectClass", ["top", class]);
        record
    }

    fn add<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a str>) {
        let values: Vec<Vec<u8>> = values.into_iter().map(|value| value.as_bytes().to_vec()).collect();
        if !values.is_empty() {
            self.attributes.push((name.to_owned(), values));
        }
    }
}

/// The text of an export of what our account sees, with what goes wrong in this read.
pub(crate) fn write(world: &World, reader: &Reader, dice: &mut Dice) -> Vec<u8> {
    let seen = world.seen();
    let mut records = Vec::new();
    for (anchor, person) in &seen.people {
        put(&mut records, anchor, person_record(world, anchor, person, dice), reader, dice);
    }
    for (anchor, team) in &seen.groups {
        put(&mut records, anchor, team_record(world, anchor, team, reader, dice), reader, dice);
    }
    for anchor in &reader.buried {
        records.push(tombstone(anchor));
    }
    if reader.empty {
        records.clear();
    }
    shuffle(&mut records, dice);
    if reader.repeats {
        let again: Vec<Record> = records.iter().filter(|_| dice.one_in(3)).cloned().collect();
        records.extend(again);
    }
    frame(&records, reader, dice)
}

/// Puts the record of an entry among the others, as often and as well as this read finds it.
fn put(records: &mut Vec<Record>, anchor: &str, mut record: Record, reader: &Reader, dice: &mut Dice) {
    if reader.missed.contains(anchor) {
        return;
    }
    if reader.unreadable.contains(anchor) {
        // Two records that ran together, by their ids.
        record.attributes.retain(|(name, _)| name != "entryUUID");
        record.add("entryUUID", [anchor, "ran-together"]);
    }
    if reader.doubled.contains(anchor) {
        let mut double = record.clone();
        double.dn = format!("cn=double-of-{anchor},ou=copies,dc=corp,dc=example");
        for (name, values) in &mut double.attributes {
            if name == "mail" || name == "cn" {
                *values = vec![format!("double-of-{anchor}@corp.example").into_bytes()];
            }
        }
        records.push(double);
    }
    noise(&mut record, dice);
    records.push(record);
}

fn person_record(world: &World, anchor: &str, person: &Person, dice: &mut Dice) -> Record {
    let mut record = Record::new(world.dn(anchor), "inetOrgPerson");
    record.add("entryUUID", [anchor]);
    record.add("uid", [person.uid.as_str()]);
    record.add("employeeNumber", [person.number.as_str()]);
    record.add("mail", person.mail.as_deref());
    if !person.name.is_empty() {
        record.add("displayName", [person.name.as_str()]);
        if dice.one_in(4) {
            record.add("displayName;lang-ja", ["(名前)"]);
        }
    }
    if person.garbled {
        record.attributes.push(("departmentNumber".to_owned(), vec![vec![0xff]]));
    } else {
        record.add("departmentNumber", person.department.as_deref());
    }
    if dice.one_in(5) && person.mail.is_some() {
        // Replication state, as 389 Directory Server exports it.
        record.add("mail;vdcsn-5f0000000000000a0000;deleted", ["gone@corp.example"]);
    }
    record
}

fn team_record(world: &World, anchor: &str, team: &Team, reader: &Reader, dice: &mut Dice) -> Record {
    let mut record = Record::new(world.dn(anchor), "groupOfNames");
    record.add("entryUUID", [anchor]);
    // The name is the one in the DN; the others are what it was called once.
    let old = format!("once-{}", team.name);
    record.add("cn", [team.name.as_str(), old.as_str()].into_iter().take(if dice.one_in(3) { 2 } else { 1 }));
    let members: Vec<String> = team.members.iter().map(|member| world.dn(member)).collect();
    if reader.partial.contains(anchor) {
        let part = Reader::half(&members);
        let name = format!("member;range=0-{}", part.len().saturating_sub(1));
        record.add(&name, part.iter().map(String::as_str));
        if part.is_empty() {
            record
                .attributes
                .push(("member;range=0-0".to_owned(), vec![b"cn=nobody,dc=corp,dc=example".to_vec()]));
        }
    } else {
        record.add("member", members.iter().map(String::as_str));
    }
    if dice.one_in(5) {
        record.add("member;vdcsn-5f0000000000000a0000;deleted", ["cn=u1,ou=north,dc=corp,dc=example"]);
    }
    record
}

/// What stays of somebody who was deleted, in an export that shows such entries.
fn tombstone(anchor: &str) -> Record {
    let mut record =
        Record::new(format!("nsuniqueid={anchor},cn={anchor},dc=corp,dc=example"), "nsTombstone");
    record.add("objectClass", ["inetOrgPerson"]);
    record.add("entryUUID", [anchor]);
    record.add("uid", [anchor]);
    record
}

/// What changes nothing of what the record says.
fn noise(record: &mut Record, dice: &mut Dice) {
    for (name, values) in &mut record.attributes {
        if matches!(name.as_str(), "mail" | "uid") && dice.one_in(6) {
            for value in values.iter_mut() {
                value.extend_from_slice(dice.one_of(&[" ", "  ", "\n"]).as_bytes());
            }
        }
        if dice.one_in(4) {
            *name = if dice.one_in(2) { name.to_uppercase() } else { name.to_lowercase() };
        }
        shuffle(values, dice);
    }
    shuffle(&mut record.attributes, dice);
    if dice.one_in(8) {
        record.add("first_name", ["odd"]);
    }
}

fn shuffle<T>(all: &mut [T], dice: &mut Dice) {
    for at in (1..all.len()).rev() {
        all.swap(at, dice.below(at + 1));
    }
}

/// The records in one or two reports of ldapsearch, or as they are.
fn frame(records: &[Record], reader: &Reader, dice: &mut Dice) -> Vec<u8> {
    let cut = reader.ends_early.is_some() || reader.ends_unproven;
    let mut text = Vec::new();
    if !cut && dice.one_in(3) && !reader.proves_its_end {
        if dice.one_in(2) {
            text.extend_from_slice(b"version: 1\n\n");
        }
        bare(&mut text, records, dice);
        return text;
    }
    let (one, other) =
        records.split_at(if cut || dice.one_in(2) { records.len() } else { dice.below(records.len() + 1) });
    report(&mut text, one, dice);
    if !other.is_empty() {
        report(&mut text, other, dice);
    }
    if reader.ends_unproven {
        // All has come but the line that says so.
        let all = String::from_utf8(text).unwrap();
        return all.as_bytes()[..all.rfind("search: ").unwrap()].to_vec();
    }
    if let Some(at) = reader.ends_early {
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        // Never the end, which proves itself.
        return lines[..(3 + at * 2).min(lines.len() - 5)].concat();
    }
    text
}

/// What stands around the people: no user, no group.
fn around() -> Vec<Record> {
    let mut all = vec![Record::new("dc=corp,dc=example".to_owned(), "domain")];
    for place in ["north", "south", "groups"] {
        all.push(Record::new(format!("ou={place},dc=corp,dc=example"), "organizationalUnit"));
    }
    all
}

fn bare(text: &mut Vec<u8>, records: &[Record], dice: &mut Dice) {
    for record in around().iter().chain(records) {
        lines_of(text, record, dice);
    }
    // What may have been cut off the last record is none of theirs.
    let mut last = Record::new("cn=zz,dc=corp,dc=example".to_owned(), "applicationProcess");
    last.add("cn", ["zz"]);
    lines_of(text, &last, dice);
    if dice.one_in(3) {
        text.pop();
    }
    if dice.one_in(3) {
        text.pop();
    }
}

fn report(text: &mut Vec<u8>, records: &[Record], dice: &mut Dice) {
    text.extend_from_slice(
        b"# extended LDIF\n#\n# LDAPv3\n# base <dc=corp,dc=example> with scope subtree\n#\n\n",
    );
    let all: Vec<Record> = around().into_iter().chain(records.iter().cloned()).collect();
    for record in &all {
        lines_of(text, record, dice);
    }
    text.extend_from_slice(b"# search result\nsearch: 2\nresult: 0 Success\n");
    if dice.one_in(3) {
        text.extend_from_slice(
            b"control: 1.2.840.113556.1.4.319 false MAUCAQAEAA==\npagedresults: cookie=\n",
        );
    }
    let end = format!("\n# numResponses: {}\n# numEntries: {}\n", all.len() + 1, all.len());
    text.extend_from_slice(end.as_bytes());
}

fn lines_of(text: &mut Vec<u8>, record: &Record, dice: &mut Dice) {
    line(text, "dn", record.dn.as_bytes(), dice);
    for (name, values) in &record.attributes {
        for value in values {
            line(text, name, value, dice);
        }
    }
    text.push(b'\n');
}

/// One line, in base64 where it must be or where the dice say so, folded where they say so.
fn line(text: &mut Vec<u8>, name: &str, value: &[u8], dice: &mut Dice) {
    let is_safe = value.iter().all(|byte| byte.is_ascii() && !byte.is_ascii_control())
        && !value.starts_with(b" ")
        && !value.ends_with(b" ");
    let whole = if is_safe && !dice.one_in(6) {
        [name.as_bytes(), b": ", value].concat()
    } else {
        [name.as_bytes(), b":: ", STANDARD.encode(value).as_bytes()].concat()
    };
    let width = if dice.one_in(4) { 30 } else { 78 };
    for (number, part) in whole.chunks(width).enumerate() {
        if number > 0 {
            text.extend_from_slice(b"\n ");
        }
        text.extend_from_slice(part);
    }
    text.push(b'\n');
}
