//! What Mimecast shows of users, groups and members, and what of a content it holds. Pure.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::directory::{Content, GroupContent, TargetId, TargetObject, UserContent};

/// The one attribute of a user that the API can set.
const NAME: &str = "displayName";

/// An address that Mimecast knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person {
    /// In lower case: Mimecast compares so.
    pub(super) address: String,
    pub(super) name: Option<String>,
    pub(super) origin: Origin,
    pub(super) is_alias: bool,
    /// `None` where Mimecast does not say.
    pub(super) disabled: Option<bool>,
}

/// How an address came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Mail from it or to it passed by.
    Mail,
    /// It is a distribution list of a directory, and no user.
    List,
    /// Somebody or something made it.
    Made,
}

/// A group, or a folder of groups, which is the same there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) id: String,
    pub(super) name: String,
    /// Whether a directory integration of Mimecast's own keeps it.
    pub(super) is_directorys: bool,
    pub(super) parent: Option<String>,
    pub(super) users: u64,
}

impl Person {
    pub(super) fn read(shown: &Value) -> Option<Self> {
        // One sample of the documentation spells it so.
        let address = text(shown, &["emailAddress", "emaiLAddress"]).and_then(address)?;
        let origin = match text(shown, &["addressType", "type"]) {
            Some("created_by_email") => Origin::Mail,
            Some("dl_from_ldap") => Origin::List,
            _ => Origin::Made,
        };
        Some(Self {
            address,
            name: text(shown, &["name"]).map(str::to_owned),
            origin,
            is_alias: flag(shown, &["isAlias", "alias"]).unwrap_or_default(),
            disabled: flag(shown, &["disabled", "accountDisabled"]),
        })
    }

    /// Whether it is a user, and not another address of one or a list.
    pub(super) fn is_user(&self) -> bool {
        !self.is_alias && self.origin != Origin::List
    }

    pub(super) fn id(&self) -> TargetId {
        TargetId(self.address.as_str().into())
    }

    pub(super) fn object(&self, aliases: BTreeSet<String>) -> TargetObject {
        let emails = std::iter::once(self.address.clone()).chain(aliases).collect();
        let name = self.name.iter().filter(|name| !name.is_empty());
        let attributes = name.map(|name| (NAME.to_owned(), name.clone())).collect();
        TargetObject {
            id: self.id(),
            key: None,
            content: Content::User(UserContent { user_name: self.address.clone(), emails, attributes }),
            active: self.disabled.map(|disabled| !disabled),
            members: None,
        }
    }
}

impl Folder {
    /// `id` is the one that was asked for, which the answer need not repeat.
    pub(super) fn read(shown: &Value, id: Option<&str>) -> Option<Self> {
        Some(Self {
            id: id.or_else(|| text(shown, &["id"])).filter(|id| is_id(id))?.to_owned(),
            name: text(shown, &["description"])?.to_owned(),
            is_directorys: text(shown, &["source"]) == Some("ldap"),
            parent: text(shown, &["parentId"]).filter(|id| !id.is_empty()).map(str::to_owned),
            users: shown.get("userCount").and_then(Value::as_u64).unwrap_or_default(),
        })
    }

    pub(super) fn object(&self, members: Option<&BTreeSet<String>>) -> TargetObject {
        let content = GroupContent { display_name: self.name.clone(), ..GroupContent::default() };
        TargetObject {
            id: TargetId(self.id.as_str().into()),
            key: None,
            content: Content::Group(content),
            active: Some(true),
            members: members.map(|all| all.iter().map(|one| TargetId(one.as_str().into())).collect()),
        }
    }

    pub(super) fn is_called(&self, name: &str) -> bool {
        same(&self.name, name)
    }
}

/// Whether names are the same to Mimecast.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// The address of a member of a group; `None` for one that is a whole domain.
pub(super) fn member(shown: &Value) -> Option<String> {
    text(shown, &["emailAddress"]).and_then(address)
}

/// An alias, in whatever form it is shown.
pub(super) fn alias(shown: &Value) -> Option<String> {
    shown.as_str().or_else(|| text(shown, &["alias", "emailAddress", "aliasAddress"])).and_then(address)
}

/// A domain of the tenant.
pub(super) fn domain(shown: &Value) -> Option<String> {
    text(shown, &["domain"]).map(|domain| domain.trim().to_lowercase()).filter(|domain| !domain.is_empty())
}

/// One address, as Mimecast compares it; `None` if it is none.
pub(super) fn address(text: &str) -> Option<String> {
    let (local, domain) = text.trim().rsplit_once('@')?;
    let is_bad = |sign: char| sign.is_whitespace() || sign.is_control() || ",;<>".contains(sign);
    let is_one =
        !local.is_empty() && !domain.is_empty() && !local.contains('@') && !text.trim().contains(is_bad);
    is_one.then(|| text.trim().to_lowercase())
}

/// Whether an address is in one of these domains.
pub(super) fn is_in(address: &str, domains: &BTreeSet<String>) -> bool {
    address.rsplit_once('@').is_some_and(|(_, domain)| domains.contains(domain))
}

/// Whether an id can be part of an address without leading elsewhere.
pub(super) fn is_id(id: &str) -> bool {
    (1..=2048).contains(&id.len()) && !matches!(id, "." | "..") && !id.chars().any(char::is_control)
}

/// What of `content` Mimecast gives back: addresses in lower case, those of the tenant's own domains only.
pub(super) fn held(content: &Content, domains: &BTreeSet<String>, shows_names: bool) -> Content {
    match content {
        Content::Group(group) => Content::Group(GroupContent {
            display_name: group.display_name.clone(),
            ..GroupContent::default()
        }),
        Content::User(user) => {
            let aliases = aliases(user, domains);
            let primary = primary(user).unwrap_or_else(|| user.user_name.clone());
            let emails = std::iter::once(primary.clone()).chain(aliases).collect();
            let name = user.attributes.get(NAME).filter(|name| shows_names && !name.is_empty());
            let attributes = name.map(|name| (NAME.to_owned(), name.clone())).into_iter().collect();
            Content::User(UserContent { user_name: primary, emails, attributes })
        }
    }
}

/// The address that a user is known by.
pub(super) fn primary(user: &UserContent) -> Option<String> {
    address(&user.user_name)
}

/// The other addresses of a user, as far as they are the tenant's own.
pub(super) fn aliases(user: &UserContent, domains: &BTreeSet<String>) -> BTreeSet<String> {
    let primary = primary(user);
    let all = user.emails.iter().filter_map(|email| address(email));
    all.filter(|email| Some(email) != primary.as_ref() && is_in(email, domains)).collect()
}

/// The name that a user is shown by.
pub(super) fn name(user: &UserContent) -> Option<&str> {
    user.attributes.get(NAME).map(String::as_str).filter(|name| !name.is_empty())
}

fn text<'v>(shown: &'v Value, names: &[&str]) -> Option<&'v str> {
    names.iter().find_map(|name| shown.get(*name)?.as_str())
}

fn flag(shown: &Value, names: &[&str]) -> Option<bool> {
    names.iter().find_map(|name| shown.get(*name)?.as_bool())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("Ann@Corp.Example", Some("ann@corp.example"))]
    #[case(" ann@corp.example ", Some("ann@corp.example"))]
    #[case("ann", None)]
    #[case("@corp.example", None)]
    #[case("ann@", None)]
    #[case("ann@bob@corp.example", None)]
    #[case("ann@corp.example, bob@corp.example", None)]
    #[case("Ann <ann@corp.example>", None)]
    fn an_address_is_one(#[case] text: &str, #[case] is: Option<&str>) {
        assert_eq!(address(text).as_deref(), is);
    }

    #[test]
    fn what_is_held_is_what_is_shown() {
        let domains: BTreeSet<String> = ["corp.example", "corp.test"].map(str::to_owned).into();
        let emails =
            ["Ann@corp.example", "b@corp.test", "a@corp.example", "x@elsewhere.example", "A@corp.example"];
        let content = Content::User(UserContent {
            user_name: "Ann@corp.example".to_owned(),
            emails: emails.map(str::to_owned).to_vec(),
            attributes: [("displayName", "Ann"), ("title", "CEO")]
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .into_iter()
                .collect(),
        });
        let held = held(&content, &domains, true);
        let shown = json!({ "emailAddress": "ann@CORP.example", "name": "Ann", "addressType": "created_manually", "isAlias": false });
        let aliases = ["a@corp.example", "b@corp.test"].map(str::to_owned).into();
        let object = Person::read(&shown).unwrap().object(aliases);
        assert_eq!(object.content, held);
        assert_eq!(object.active, None, "it does not say");
        let says = |disabled: bool| json!({ "emailAddress": "ann@corp.example", "disabled": disabled });
        let active = |disabled: bool| Person::read(&says(disabled)).unwrap().object(BTreeSet::new()).active;
        assert_eq!([false, true].map(active), [Some(true), Some(false)]);
        assert_eq!(super::held(&held, &domains, true), held, "it stays so");
    }

    #[test]
    fn reads_each_form() {
        let person = Person::read(
            &json!({ "emaiLAddress": "a@b.example", "alias": true, "addressType": "created_by_email" }),
        )
        .unwrap();
        assert!(person.is_alias && !person.is_user());
        assert_eq!((person.origin, person.disabled), (Origin::Mail, None));
        assert!(
            !Person::read(&json!({ "emailAddress": "l@b.example", "addressType": "dl_from_ldap" }))
                .unwrap()
                .is_user()
        );
        for shown in [
            json!("x@b.example"),
            json!({ "alias": "X@b.example" }),
            json!({ "emailAddress": "x@b.example" }),
        ] {
            assert_eq!(alias(&shown).as_deref(), Some("x@b.example"));
        }
        let folder = Folder::read(
            &json!({ "description": "Sales", "source": "ldap", "parentId": "", "userCount": 2 }),
            Some("id"),
        )
        .unwrap();
        assert!(folder.is_directorys && folder.parent.is_none() && folder.users == 2);
        assert_eq!(Folder::read(&json!({ "description": "Sales" }), None), None);
    }
}
