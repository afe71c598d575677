//! One domain controller, for one read.

use std::collections::{BTreeSet, HashSet};

use super::config::ActiveDirectoryConfig;
use super::control::controls;
use crate::directory::{Anchor, DirectoryId, Dn};
use crate::source::ldap::base::{bases, contexts};
use crate::source::ldap::computed::Untold;
use crate::source::ldap::connect::connect;
use crate::source::ldap::connection::{Connection, Server};
use crate::source::ldap::decode::Raw;
use crate::source::ldap::look_up::Asking;
use crate::source::ldap::root_dse::RootDse;
use crate::source::ldap::search::{Query, Search, SearchItem};
use crate::source::schema::active_directory::name::Extended;
use crate::source::schema::active_directory::{self as schema, ActiveDirectorySchema};
use crate::source::{Reason, SourceError};

/// Who is a user or contact unless the configuration says otherwise: no computers, no trusts, none of the
/// accounts that every domain has.
const USER_FILTER: &str = "(&(|(&(objectCategory=person)(objectClass=user))(objectClass=contact))\
     (!(userAccountControl:1.2.840.113556.1.4.803:=2048))(!(isCriticalSystemObject=TRUE)))";

/// What is a group unless the configuration says otherwise.
const GROUP_FILTER: &str = "(objectClass=group)";

/// One domain controller, for one read.
pub(super) struct Session {
    pub(super) config: ActiveDirectoryConfig,
    pub(super) connection: Connection,
    pub(super) facts: RootDse,
    pub(super) bases: Vec<String>,
    pub(super) excluded: Vec<Dn>,
    pub(super) schema: ActiveDirectorySchema,
    /// The domain's security id, which its users and groups have before their own numbers.
    pub(super) domain: Option<Vec<u8>>,
    /// Who came, in a read of changes.
    pub(super) there: HashSet<Anchor>,
    pub(super) untold: Untold,
}

/// Why a domain controller is not believed: it has not caught up with the others since it was started, or was ever made, so
/// whoever joined is not there, and whoever was disabled is not.
pub(super) fn behind(facts: &RootDse) -> Option<&'static str> {
    facts.text("issynchronized").is_some_and(|is| is.eq_ignore_ascii_case("FALSE")).then_some(
        "it says that it has not yet synchronized with the other domain controllers (isSynchronized FALSE); check its \
         replication with `repadmin /showrepl`, or name another one in urls",
    )
}

/// Whose entry it is, by the attribute or by what stands before its name.
pub(super) fn identity(raw: &Raw) -> Option<Anchor> {
    let named = || Extended::of(&raw.dn).guid.map(|guid| Anchor::new(guid.to_lowercase()));
    schema::anchor(&raw.attributes).or_else(named)
}

pub(super) fn is_within(dn: &str, excluded: &[Dn]) -> bool {
    !excluded.is_empty()
        && Dn::parse(dn).is_ok_and(|dn| excluded.iter().any(|excluded| dn.is_within(excluded)))
}

impl Session {
    pub(super) async fn open(config: ActiveDirectoryConfig) -> Result<Self, SourceError> {
        let (servers, mut notices) = match &config.discovery {
            Some(discovery) => discovery.servers(&config.ldap).await?,
            None => (Server::of(&config.ldap.urls), Vec::new()),
        };
        let (mut connection, facts) = connect(&config.ldap, &servers, behind).await?;
        notices.append(&mut connection.skipped);
        connection.skipped = notices;
        if !facts.is_active_directory() {
            let why = format!(
                "{} is not an Active Directory domain controller; read it with the kind ldap",
                connection.url
            );
            return Err(SourceError::new(Reason::InvalidData, why));
        }
        let bases = bases(&config.ldap.base_dns, &facts)?;
        let excluded = config.exclude_dns.iter().filter_map(|dn| Dn::parse(dn).ok()).collect();
        let schema = ActiveDirectorySchema { literal: config.ldap.literal.clone() };
        let filters = [
            config.ldap.user_filter.as_deref().unwrap_or(USER_FILTER),
            config.ldap.group_filter.as_deref().unwrap_or(GROUP_FILTER),
        ];
        let untold = Untold::of(filters, &config.ldap.literal, &contexts(&bases, &facts));
        let (domain, there) = (None, HashSet::new());
        Ok(Self { config, connection, facts, bases, excluded, schema, domain, there, untold })
    }

    pub(super) fn query(&self, base: String, filter: String) -> Query {
        Query {
            base,
            filter,
            attributes: self.schema.attributes(),
            page_size: Some(self.config.ldap.page_size),
            controls: controls(),
            ..Query::default()
        }
    }

    pub(super) fn user_filter(&self) -> &str {
        self.config.ldap.user_filter.as_deref().unwrap_or(USER_FILTER)
    }

    pub(super) fn group_filter(&self) -> &str {
        self.config.ldap.group_filter.as_deref().unwrap_or(GROUP_FILTER)
    }

    /// How entries are asked for by their ids, which their names show too.
    pub(super) fn asking(&self) -> Asking {
        Asking {
            attribute: "objectGUID".to_owned(),
            filter: |_, anchors| {
                format!("(|{})", anchors.iter().map(schema::guid_filter).collect::<String>())
            },
            id: |_, raw| identity(raw),
            page_size: Some(self.config.ldap.page_size),
            controls: controls(),
        }
    }

    /// Who matches `filter` below `places`, but for the `excluded`.
    pub(super) async fn anchors(
        &mut self,
        places: Vec<String>,
        filter: String,
        excluded: &[Dn],
    ) -> Result<HashSet<Anchor>, SourceError> {
        let mut anchors = HashSet::new();
        for base in places {
            let attributes = vec!["objectGUID".to_owned()];
            let page_size = Some(self.config.ldap.page_size);
            let query = Query {
                base,
                filter: filter.clone(),
                attributes,
                page_size,
                controls: controls(),
                ..Query::default()
            };
            let mut search = Search::new(&mut self.connection, query);
            while let Some(found) = search.next(0).await? {
                if let SearchItem::Entry(raw) = found
                    && !is_within(Extended::of(&raw.dn).dn, excluded)
                {
                    anchors.extend(identity(&raw));
                }
            }
        }
        Ok(anchors)
    }

    /// The domain controller, however it was found.
    pub(super) fn server(&self) -> String {
        self.facts.text("dsservicename").unwrap_or(&self.connection.url).to_owned()
    }

    /// The forest, and the domains of it that are read.
    pub(super) fn directory(&self) -> DirectoryId {
        let normal = |dn: &str| Dn::parse(dn).map_or_else(|_| dn.to_owned(), |dn| dn.as_str().to_owned());
        let forest = self.facts.text("rootdomainnamingcontext").map(normal);
        let domains: BTreeSet<String> =
            contexts(&self.bases, &self.facts).iter().map(|context| normal(context)).collect();
        let others = domains.into_iter().filter(|domain| Some(domain) != forest.as_ref());
        let named: Vec<String> = forest.clone().into_iter().chain(others).collect();
        DirectoryId::new(named.join(" "))
    }

    /// What decides which entries come, the same for every spelling of it.
    pub(super) fn scope(&self) -> String {
        let normal = |dn: &String| Dn::parse(dn).map_or_else(|_| dn.clone(), |dn| dn.to_string());
        let joined = |dns: &[String]| {
            let dns: BTreeSet<String> = dns.iter().map(normal).collect();
            dns.into_iter().collect::<Vec<_>>().join("\n")
        };
        let who = self.config.ldap.bind.as_ref().map_or("", |bind| bind.dn.as_str());
        let (read, left_out) = (joined(&self.bases), joined(&self.config.exclude_dns));
        [&read, &left_out, self.user_filter(), self.group_filter(), who].join("\n\n")
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&[], false)]
    #[case(&["TRUE"], false)]
    #[case(&["FALSE"], true)]
    #[case(&["false"], true)]
    fn a_domain_controller_that_has_not_caught_up_is_not_believed(
        #[case] said: &[&str],
        #[case] is_behind: bool,
    ) {
        let mut facts = RootDse::default();
        facts.root.add("isSynchronized", said.iter().map(|value| value.as_bytes().to_vec()));
        assert_eq!(behind(&facts).is_some(), is_behind);
    }
}
