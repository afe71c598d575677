//! What an export says, whatever it looks like: a copy that was folded, sorted or commented in another way says the same.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::record::Record;
use crate::directory::Dn;
use crate::source::schema::anchor::hexadecimal;

/// Enough of a hash to know again what it is of.
pub(super) type Fingerprint = [u8; 16];

/// What the records of an export say, as a set.
#[derive(Debug, Default)]
pub(super) struct Statement(BTreeSet<Fingerprint>);

impl Statement {
    /// What could not be understood says nothing.
    pub(super) fn add(&mut self, record: &Record, words: Fingerprint) {
        if record.damage.is_none() {
            self.0.insert(words);
        }
    }

    /// The same for all exports that say the same.
    pub(super) fn digest(&self) -> String {
        let all = self.0.iter().fold(Sha256::new(), Sha256::chain_update);
        hexadecimal(&all.finalize())
    }
}

/// The same for records that say the same, in whatever order and spelling.
pub(super) fn words(record: &Record) -> Fingerprint {
    let mut hash = Sha256::new();
    let mut part = |text: &[u8]| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    for dn in &record.dns {
        match Dn::parse(dn) {
            Ok(dn) => part(dn.as_str().as_bytes()),
            Err(_) => part(dn.as_bytes()),
        }
    }
    for (name, options, values) in record.attributes.stated() {
        part(name.as_bytes());
        part(options.as_bytes());
        part(&(values.len() as u64).to_le_bytes());
        values.into_iter().for_each(&mut part);
    }
    fingerprint(hash)
}

pub(super) fn fingerprint(hash: Sha256) -> Fingerprint {
    let mut fingerprint = Fingerprint::default();
    fingerprint.copy_from_slice(&hash.finalize()[..16]);
    fingerprint
}
