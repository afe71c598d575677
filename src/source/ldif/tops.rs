//! Which directory the entries of a file are in: what their DNs have in common at the end. Pure.

use std::collections::BTreeMap;

use crate::directory::{DirectoryId, Dn};

/// So many last parts of DNs are kept apart; a directory has one.
const MOST: usize = 1000;

/// The entries of a file by the last parts of their DNs (`dc=example`, `cn=config`).
#[derive(Debug, Default)]
pub(super) struct Tops {
    known: BTreeMap<String, Top>,
    /// How many entries are below none of these.
    beyond: usize,
    /// The first of those.
    first_beyond: Option<usize>,
}

/// Entries whose DNs end alike.
#[derive(Debug)]
pub(super) struct Top {
    /// The longest DN that all of them are within.
    pub(super) suffix: Dn,
    entries: usize,
    /// The line of the first.
    line: usize,
    /// Whether a user, a contact or a group is among them.
    is_read: bool,
}

impl Tops {
    /// Notes an entry, and whether it is a user, a contact or a group. The root of a server is in no directory.
    pub(super) fn note(&mut self, dn: &Dn, line: usize, is_read: bool) {
        let last = dn.as_str().rsplit(',').next().unwrap_or_default();
        if last.is_empty() {
            return;
        }
        if let Some(top) = self.known.get_mut(last) {
            top.entries += 1;
            top.suffix = top.suffix.common_suffix(dn);
            top.is_read |= is_read;
        } else if self.known.len() < MOST {
            let top = Top { suffix: dn.clone(), entries: 1, line, is_read };
            self.known.insert(last.to_owned(), top);
        } else {
            self.beyond += 1;
            self.first_beyond.get_or_insert(line);
        }
    }

    /// Where the entries that count are: the only place; or the only one with users and groups; or that of the reads before.
    pub(super) fn directory(&self, pinned: Option<&DirectoryId>) -> Option<&Top> {
        let all = || self.known.values().filter(|_| self.beyond == 0);
        let only = all().next().filter(|_| self.known.len() == 1);
        let mut read = all().filter(|top| top.is_read);
        let only_read = || read.next().filter(|_| read.next().is_none());
        let was = || {
            let pinned = Dn::parse(pinned?.as_str()).ok()?;
            self.known.values().find(|top| top.suffix == pinned)
        };
        only.or_else(only_read).or_else(was)
    }

    /// Where most entries are.
    pub(super) fn main(&self) -> Option<&Top> {
        self.known.values().max_by_key(|top| top.entries)
    }

    /// How many entries are elsewhere, and the line of the first of them.
    pub(super) fn elsewhere(&self, than: &Top) -> Option<(usize, usize)> {
        let others = self.known.values().filter(|top| top.suffix != than.suffix);
        let (count, first) = others.fold((self.beyond, self.first_beyond), |(count, first), top| {
            (count + top.entries, Some(first.map_or(top.line, |first| first.min(top.line))))
        });
        Some((count, first?))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// DNs; those that begin with `ou` or `cn=config` are of no user and no group.
    fn tops(dns: &[&str]) -> Tops {
        let mut tops = Tops::default();
        for (at, dn) in dns.iter().enumerate() {
            let is_read = !dn.starts_with("ou") && !dn.contains("cn=config");
            tops.note(&Dn::parse(dn).unwrap(), at + 1, is_read);
        }
        tops
    }

    #[rstest]
    #[case::one(&["ou=a,dc=x", "uid=b,ou=a,dc=x"], None, Some("ou=a,dc=x"), None)]
    #[case::of_two_branches(&["uid=b,ou=a,dc=x", "cn=g,ou=c,dc=x"], None, Some("dc=x"), None)]
    #[case::with_the_root(&["", "ou=a,dc=x", "uid=b,ou=a,dc=x"], None, Some("ou=a,dc=x"), None)]
    #[case::with_a_configuration(&["uid=b,dc=x", "cn=config", "cn=a,cn=config", "cn=c,dc=x"], None, Some("dc=x"), Some((2, 2)))]
    #[case::flat_groups(&["uid=b,o=x", "cn=everyone", "uid=c,o=x"], None, None, None)]
    #[case::flat_groups_later(&["uid=b,o=x", "cn=everyone", "uid=c,o=x", "cn=all"], Some("o=x"), Some("o=x"), Some((2, 2)))]
    #[case::another_base_was_read(&["uid=b,ou=p,o=x", "cn=everyone"], Some("o=x"), None, None)]
    #[case::nobody_at_all(&["ou=b,o=x", "ou=c,o=y"], None, None, None)]
    fn a_file_is_of_the_directory_in_which_its_people_are(
        #[case] dns: &[&str],
        #[case] pinned: Option<&str>,
        #[case] expected: Option<&str>,
        #[case] elsewhere: Option<(usize, usize)>,
    ) {
        let tops = tops(dns);
        let directory = tops.directory(pinned.map(DirectoryId::new).as_ref());
        assert_eq!(directory.map(|top| top.suffix.as_str()), expected);
        assert_eq!(directory.and_then(|top| tops.elsewhere(top)), elsewhere);
    }

    #[test]
    fn many_places_are_not_kept_apart() {
        let mut dns: Vec<String> = (0..2 * MOST).map(|at| format!("cn=group{at}")).collect();
        dns.push("uid=a,o=x".to_owned());
        dns.insert(0, "uid=b,o=x".to_owned());
        let tops = tops(&dns.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((tops.known.len(), tops.main().unwrap().suffix.as_str()), (MOST, "o=x"));
        assert!(tops.directory(None).is_none());
        let pinned = tops.directory(Some(&DirectoryId::new("o=x"))).unwrap();
        assert_eq!(tops.elsewhere(pinned), Some((2 * MOST, 2)));
    }
}
