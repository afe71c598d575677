//! A made-up company, as exports of three kinds of servers show it.

use std::fmt::Write as _;

pub(crate) const USERS: usize = 8;
pub(crate) const GROUPS: usize = 3;

/// One export, and what to know its entries by.
pub(crate) struct Company {
    pub(crate) export: String,
    pub(crate) users: Vec<Entry>,
    pub(crate) groups: Vec<Entry>,
    /// For each group the line that states a member, and whose that is.
    pub(crate) members: Vec<Vec<(String, usize)>>,
}

/// An entry that is in step at first.
pub(crate) struct Entry {
    /// What it is called at the target.
    pub(crate) name: String,
    /// The line that it begins with.
    pub(crate) dn: String,
    /// The line that says who it is.
    pub(crate) id: String,
    /// The lines that lists may know it by.
    pub(crate) called: Vec<String>,
    /// Without these lines it may be no user or no group any more, or none that is wanted.
    pub(crate) needs: Vec<String>,
}

/// How a server writes.
#[derive(Clone, Copy)]
pub(crate) enum Style {
    OpenLdap,
    Posix,
    ActiveDirectory,
}

impl Style {
    pub(crate) const ALL: [Self; 3] = [Self::OpenLdap, Self::Posix, Self::ActiveDirectory];

    fn dn(self, user: usize) -> String {
        match self {
            Self::ActiveDirectory => format!("CN=User {user:03},OU=People,DC=corp,DC=example"),
            Self::OpenLdap | Self::Posix => format!("uid=user{user:03},ou=people,dc=corp,dc=example"),
        }
    }

    fn id(self, number: usize) -> String {
        match self {
            Self::ActiveDirectory => {
                let letter = char::from(b'A' + u8::try_from(number).unwrap());
                format!("objectGUID:: nJ1vG0pZ00mU7m1gk1{letter}AAQ==")
            }
            Self::OpenLdap | Self::Posix => format!("entryUUID: 5b0e7e9c-1f2d-4c3b-9a8b-0000000{number:05}"),
        }
    }

    /// What makes an entry a user.
    fn of_user(self, user: usize) -> Vec<String> {
        let mail = format!("mail: user{user}@corp.example");
        match self {
            Self::OpenLdap => {
                vec!["objectClass: inetOrgPerson".to_owned(), format!("uid: user{user:03}"), mail]
            }
            Self::Posix => vec![
                "objectClass: inetOrgPerson".to_owned(),
                "objectClass: posixAccount".to_owned(),
                format!("uid: user{user:03}"),
                format!("gidNumber: {}", 1000 + user),
                mail,
            ],
            Self::ActiveDirectory => vec![
                "objectClass: person".to_owned(),
                "objectClass: user".to_owned(),
                format!("sAMAccountName: user{user:03}"),
                "userAccountControl: 512".to_owned(),
                "accountExpires: 9223372036854775807".to_owned(),
                mail,
            ],
        }
    }

    fn of_group(self, group: usize) -> Vec<String> {
        match self {
            Self::OpenLdap => vec!["objectClass: groupOfNames".to_owned(), format!("cn: group{group}")],
            Self::Posix => vec![
                "objectClass: posixGroup".to_owned(),
                format!("cn: group{group}"),
                format!("gidNumber: {}", 2000 + group),
            ],
            Self::ActiveDirectory => vec![
                "objectClass: group".to_owned(),
                format!("cn: group{group}"),
                format!("sAMAccountName: group{group}"),
                "groupType: -2147483646".to_owned(),
            ],
        }
    }

    fn member(self, user: usize) -> String {
        match self {
            Self::Posix => format!("memberUid: user{user:03}"),
            Self::OpenLdap | Self::ActiveDirectory => format!("member: {}", self.dn(user)),
        }
    }

    pub(crate) fn company(self) -> Company {
        let mut export =
            "version: 1\n\n# the company\ndn: dc=corp,dc=example\nobjectClass: domain\ndc: corp\n\n"
                .to_owned();
        let mut write = |dn: &str, lines: &[String], id: &str| {
            write!(export, "dn: {dn}\n{}\n{id}\n\n", lines.join("\n")).unwrap();
        };
        let mut users = Vec::new();
        for user in 0..USERS {
            let (needs, id) = (self.of_user(user), self.id(user));
            let mut lines = needs.clone();
            lines.insert(1, "sn:: w5xzZXI=".to_owned());
            lines.push(
                "description: a text that is longer than one line, and goes\n  on in the next".to_owned(),
            );
            write(&self.dn(user), &lines, &id);
            let dn = format!("dn: {}", self.dn(user));
            let called = vec![dn.clone(), format!("uid: user{user:03}")];
            users.push(Entry { dn, called, name: format!("user{user}@corp.example"), id, needs });
        }
        let (mut groups, mut members) = (Vec::new(), Vec::new());
        for group in 0..GROUPS {
            let (needs, id) = (self.of_group(group), self.id(USERS + group));
            let of: Vec<(String, usize)> = (group..USERS).map(|user| (self.member(user), user)).collect();
            let mut lines = needs.clone();
            lines.extend(of.iter().map(|(line, _)| line.clone()));
            let dn = format!("cn=group{group},ou=groups,dc=corp,dc=example");
            write(&dn, &lines, &id);
            groups.push(Entry {
                dn: format!("dn: {dn}"),
                called: Vec::new(),
                name: format!("group{group}"),
                id,
                needs,
            });
            members.push(of);
        }
        Company { export, users, groups, members }
    }
}
