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
    pinned: Option<Pinned>,
}

/// What the reads before were of.
#[derive(Debug)]
struct Pinned {
    suffix: Dn,
    /// The entries that are within it.
    within: Option<Top>,
    /// How many users, contacts and groups those are, and how many others.
    read: [usize; 2],
    /// How many entries are outside of it, and the line of the first.
    outside: Option<(usize, usize)>,
}

impl Pinned {
    fn note(&mut self, dn: &Dn, line: usize, is_read: bool) {
        let is_within = dn.is_within(&self.suffix);
        let [within, outside] = &mut self.read;
        *(if is_within { within } else { outside }) += usize::from(is_read);
        if is_within {
            let top = self.within.get_or_insert_with(|| Top::new(dn, line));
            top.note(dn, is_read);
        } else {
            let (count, first) = self.outside.unwrap_or((0, line));
            self.outside = Some((count + 1, first));
        }
    }

    /// Its entries, if most users and groups are among them, and if they begin where they began.
    fn most(&self) -> Option<&Top> {
        let [within, outside] = self.read;
        self.within.as_ref().filter(|top| top.suffix == self.suffix && within > outside)
    }
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

impl Top {
    fn new(dn: &Dn, line: usize) -> Self {
        Self { suffix: dn.clone(), entries: 0, line, is_read: false }
    }

    fn note(&mut self, dn: &Dn, is_read: bool) {
        self.entries += 1;
        self.suffix = self.suffix.common_suffix(dn);
        self.is_read |= is_read;
    }
}

impl Tops {
    /// Of a directory that was read before.
    pub(super) fn of(pinned: Option<&DirectoryId>) -> Self {
        let suffix = pinned.and_then(|pinned| Dn::parse(pinned.as_str()).ok());
        let suffix = suffix.filter(|suffix| !suffix.as_str().is_empty());
        let pinned = suffix.map(|suffix| Pinned { suffix, within: None, read: [0; 2], outside: None });
        Self { pinned, ..Self::default() }
    }

    /// Notes an entry, and whether it is a user, a contact or a group. The root of a server is in no directory.
    pub(super) fn note(&mut self, dn: &Dn, line: usize, is_read: bool) {
        let last = dn.as_str().rsplit(',').next().unwrap_or_default();
        if last.is_empty() {
            return;
        }
        if let Some(pinned) = &mut self.pinned {
            pinned.note(dn, line, is_read);
        }
        if let Some(top) = self.known.get_mut(last) {
            top.note(dn, is_read);
        } else if self.known.len() < MOST {
            let mut top = Top::new(dn, line);
            top.note(dn, is_read);
            self.known.insert(last.to_owned(), top);
        } else {
            self.beyond += 1;
            self.first_beyond.get_or_insert(line);
        }
    }

    /// Where the entries that count are: where most users and groups are, if that was read before; the only place; or the only one
    /// with users and groups; or that of the reads before.
    pub(super) fn directory(&self) -> Option<&Top> {
        let most = self.pinned.as_ref().and_then(Pinned::most);
        let all = || self.known.values().filter(|_| self.beyond == 0);
        let only = all().next().filter(|_| self.known.len() == 1);
        let mut read = all().filter(|top| top.is_read);
        let only_read = || read.next().filter(|_| read.next().is_none());
        let was = || {
            let pinned = self.pinned.as_ref()?;
            self.known.values().find(|top| top.suffix == pinned.suffix)
        };
        most.or(only).or_else(only_read).or_else(was)
    }

    /// Where most entries are.
    pub(super) fn main(&self) -> Option<&Top> {
        self.known.values().max_by_key(|top| top.entries)
    }

    /// How many entries are elsewhere, and the line of the first of them.
    pub(super) fn elsewhere(&self, than: &Top) -> Option<(usize, usize)> {
        if let Some(pinned) = self.pinned.as_ref().filter(|pinned| pinned.suffix == than.suffix) {
            return pinned.outside;
        }
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
    fn tops(dns: &[&str], pinned: Option<&str>) -> Tops {
        let mut tops = Tops::of(pinned.map(DirectoryId::new).as_ref());
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
    #[case::one_moved_beside(&["dc=a,dc=x", "uid=b,dc=a,dc=x", "cn=c,dc=a,dc=x", "uid=d,dc=e,dc=x"], Some("dc=a,dc=x"), Some("dc=a,dc=x"), Some((1, 4)))]
    #[case::one_elsewhere(&["uid=d,ou=e,dc=y", "uid=b,ou=f,dc=x", "cn=c,ou=g,dc=x"], Some("dc=x"), Some("dc=x"), Some((1, 1)))]
    #[case::as_many_beside(&["ou=p,dc=a,dc=x", "uid=b,ou=q,dc=a,dc=x", "uid=d,dc=e,dc=x"], Some("dc=a,dc=x"), Some("dc=x"), None)]
    #[case::most_in_a_part_of_it(&["uid=b,ou=p,dc=a,dc=x", "uid=c,ou=p,dc=a,dc=x", "uid=d,dc=e,dc=x"], Some("dc=a,dc=x"), Some("dc=x"), None)]
    #[case::all_in_a_wider_one(&["dc=x", "uid=b,dc=x"], Some("dc=a,dc=x"), Some("dc=x"), None)]
    #[case::an_id_that_is_no_dn(&["uid=b,dc=a,dc=x"], Some("corp"), Some("uid=b,dc=a,dc=x"), None)]
    #[case::nobody_at_all(&["ou=b,o=x", "ou=c,o=y"], None, None, None)]
    fn a_file_is_of_the_directory_in_which_its_people_are(
        #[case] dns: &[&str],
        #[case] pinned: Option<&str>,
        #[case] expected: Option<&str>,
        #[case] elsewhere: Option<(usize, usize)>,
    ) {
        let tops = tops(dns, pinned);
        let directory = tops.directory();
        assert_eq!(directory.map(|top| top.suffix.as_str()), expected);
        assert_eq!(directory.and_then(|top| tops.elsewhere(top)), elsewhere);
    }

    #[test]
    fn many_places_are_not_kept_apart() {
        let mut dns: Vec<String> = (0..2 * MOST).map(|at| format!("cn=group{at}")).collect();
        dns.push("uid=a,o=x".to_owned());
        dns.insert(0, "uid=b,o=x".to_owned());
        let dns: Vec<&str> = dns.iter().map(String::as_str).collect();
        let first = tops(&dns, None);
        assert_eq!((first.known.len(), first.main().unwrap().suffix.as_str()), (MOST, "o=x"));
        assert!(first.directory().is_none());
        let later = tops(&dns, Some("o=x"));
        assert_eq!(later.elsewhere(later.directory().unwrap()), Some((2 * MOST, 2)));
    }
}
