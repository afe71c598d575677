//! Reads users and groups.

use super::Reader;
use crate::directory::{Anchor, Change, EntryKind, Members};
use crate::source::SourceError;
use crate::source::ldap::ask::{AT_ONCE, Asking};
use crate::source::ldap::computed::Untold;
use crate::source::ldap::decode::Raw;
use crate::source::ldap::dialect::Dialect;
use crate::source::ldap::filter::among;
use crate::source::ldap::output::{Output, no_entry};
use crate::source::ldap::search::{Search, SearchItem};
use crate::source::ldap::sweep::Sweep;
use crate::source::schema::primary::PrimaryGroups as _;

impl<D: Dialect> Reader<'_, D> {
    /// Reads users or groups, only those that match `only` if it is given.
    pub(super) async fn entries(&mut self, kind: EntryKind, only: Option<&str>) -> Result<(), SourceError> {
        let is_group = kind == EntryKind::Group;
        let filter = if is_group { self.session.groups() } else { self.session.users() };
        let filter = among(only, filter);
        // Where not everybody came, those of whom one is the primary group are asked for.
        let asked = match only {
            Some(only) if is_group => Some(self.ask_primaries(only).await?),
            _ => None,
        };
        let (attributes, mut parts) = (self.session.dialect.attributes(kind), 0);
        for base in self.session.bases.clone() {
            let query = self.session.query(base, filter.clone(), attributes.clone());
            let mut in_parts = Vec::new();
            let anchor = &self.session.asking.attribute;
            let mut search = Sweep::new(&mut self.session.connection, query, D::DIVIDES_BY, anchor);
            while let Some(found) = search.next(self.output.came).await? {
                let mut raw = match found {
                    SearchItem::Entry(raw) => raw,
                    SearchItem::Unintelligible(what) => {
                        // It may be anybody.
                        self.primaries.hide();
                        let change = no_entry(what);
                        let change = if is_group { self.session.dialect.keep(change) } else { Some(change) };
                        if let Some(change) = change {
                            self.output.change(change).await?;
                        }
                        continue;
                    }
                    SearchItem::Reference(urls) => {
                        self.output.reference(urls);
                        continue;
                    }
                };
                let (dialect, asking) = (&self.session.dialect, &self.session.asking);
                let dn = asking.dn(&raw);
                if asking.leaves_out(dn) {
                    continue;
                }
                self.untold.note(kind, &raw.attributes);
                self.listed.note(kind, D::LISTS, &raw.attributes);
                if !is_group && D::Primaries::is_hidden(&raw.attributes) {
                    self.primaries.hide();
                } else if !is_group {
                    self.primaries.note(dn, &raw.attributes);
                }
                if only.is_some() {
                    self.there.extend(asking.ids(&raw).into_iter().map(|anchor| (anchor, dn.to_owned())));
                }
                if is_group && D::COMPLETES_LISTS && !raw.attributes.is_whole("member") {
                    // Its parts are read when this search is over: until then only its name is kept.
                    raw.attributes.remove("member");
                    in_parts.push(raw);
                    continue;
                }
                let primaries = asked.as_ref().unwrap_or(&self.primaries);
                let to = (&mut self.output, &mut self.untold);
                tell((dialect, asking), to, primaries, (&raw, kind), None).await?;
            }
            parts += search.parts();
            for raw in in_parts {
                let members = D::whole_list(&mut self.session.connection, &raw, self.output.came).await?;
                let primaries = asked.as_ref().unwrap_or(&self.primaries);
                let to = (&mut self.output, &mut self.untold);
                tell((&self.session.dialect, &self.session.asking), to, primaries, (&raw, kind), members)
                    .await?;
            }
        }
        if is_group {
            let kept = self.session.dialect.kept()?;
            self.output.kept(kept).await?;
        }
        if let Some(by) = D::DIVIDES_BY.filter(|_| parts > 0) {
            let whom = if is_group { "groups" } else { "people" };
            self.notices.push(format!(
                "the server ends a search for {whom} at a limit, so they were read in {parts} parts, by how {by} begins; without a limit \
                 for this account (in Domino the maximum number of entries returned) it is one search"
            ));
        }
        Ok(())
    }

    /// Has the dialect note the groups that it leaves out.
    pub(super) async fn note_left_out(&mut self) -> Result<(), SourceError> {
        let Some(filter) = self.session.dialect.begin() else { return Ok(()) };
        let filter = among(Some(&filter), self.session.groups());
        let attributes = self.session.dialect.attributes(EntryKind::Group);
        for base in self.session.bases.clone() {
            let query = self.session.query(base, filter.clone(), attributes.clone());
            let anchor = &self.session.asking.attribute;
            let mut search = Sweep::new(&mut self.session.connection, query, D::DIVIDES_BY, anchor);
            while let Some(found) = search.next(self.output.came).await? {
                if let SearchItem::Entry(raw) = found {
                    self.session.dialect.note_left_out(&raw);
                }
            }
        }
        Ok(())
    }

    /// Reads these entries, as far as they are among those that are read.
    pub(super) async fn read_these(&mut self, these: &[Anchor]) -> Result<(), SourceError> {
        let asking = self.session.asking.clone();
        for some in these.chunks(AT_ONCE) {
            let ids = asking.filter(some);
            self.entries(EntryKind::User, Some(&ids)).await?;
            self.entries(EntryKind::Group, Some(&ids)).await?;
        }
        Ok(())
    }

    /// The same, users only.
    pub(super) async fn read_users(&mut self, these: &[Anchor]) -> Result<(), SourceError> {
        let asking = self.session.asking.clone();
        for some in these.chunks(AT_ONCE) {
            self.entries(EntryKind::User, Some(&asking.filter(some))).await?;
        }
        Ok(())
    }

    /// Lists who is there, without those who came; reads those who were not there before, if that is wanted. False if they
    /// are too many.
    pub(super) async fn list_ids(&mut self, reads_new: bool) -> Result<bool, SourceError> {
        let mut listed = Vec::new();
        let (filter, id) = (self.session.either(), self.session.asking.attribute.clone());
        for base in self.session.bases.clone() {
            let query = self.session.query(base, filter.clone(), vec![id.clone()]);
            let mut search = Search::new(&mut self.session.connection, query);
            while let Some(found) = search.next(self.output.came).await? {
                let raw = match found {
                    SearchItem::Entry(raw) => raw,
                    SearchItem::Unintelligible(what) => {
                        self.output.unintelligible(what).await?;
                        continue;
                    }
                    SearchItem::Reference(_) => continue,
                };
                let asking = &self.session.asking;
                let dn = asking.dn(&raw);
                if asking.leaves_out(dn) {
                    continue;
                }
                let anchors = asking.ids(&raw);
                // Who shows no id may be anybody who is missing.
                if anchors.is_empty() {
                    let why = format!("it shows no {id}; allow the account to read that attribute");
                    self.output.change(Change::Unreadable { anchor: None, what: dn.to_owned(), why }).await?;
                }
                for anchor in anchors.into_iter().filter(|anchor| !self.there.contains_key(anchor)) {
                    if reads_new {
                        listed.push(anchor);
                    } else {
                        self.output.change(Change::Unchanged(anchor)).await?;
                    }
                }
            }
        }
        let Some(new) = self.output.listed(listed).await? else { return Ok(false) };
        self.read_these(&new).await?;
        Ok(true)
    }
}

/// Sends what an entry says. `members` are those that had to be read apart.
pub(super) async fn tell<D: Dialect>(
    (dialect, asking): (&D, &Asking),
    (output, untold): (&mut Output, &mut Untold),
    primaries: &D::Primaries,
    (raw, kind): (&Raw, EntryKind),
    members: Option<Members>,
) -> Result<(), SourceError> {
    let not_text = || "its DN is not valid UTF-8; correct it in the directory".to_owned();
    let mut primary = Vec::new();
    let change = if let Some(why) = raw.beyond.clone().or_else(|| (!raw.dn_is_text).then(not_text)) {
        let (anchor, what) = (asking.ids(raw).into_iter().next(), asking.dn(raw).to_owned());
        Change::Unreadable { anchor, what, why }
    } else {
        let Some(mut change) = dialect.told(raw, kind) else { return Ok(()) };
        if let Change::Replace(entry) = &mut change {
            if let Some(members) = members {
                entry.members = members;
            }
            let stated = entry.members.references().len();
            primaries.join(&raw.attributes, &mut entry.members);
            if D::Primaries::ARE_LISTED && untold.links.are_used() {
                primary = entry.members.references().iter().skip(stated).cloned().collect();
            }
        }
        change
    };
    let change = if kind == EntryKind::Group {
        untold.links.list(&change, std::mem::take(&mut primary));
        dialect.keep(change)
    } else {
        Some(change)
    };
    match change {
        Some(change) => output.change(change).await,
        None => Ok(()),
    }
}
