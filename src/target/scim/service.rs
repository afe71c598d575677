//! What a service says of itself (RFC 7643 sections 5 to 7, RFC 9865). Pure.

use serde_json::Value;

use super::dialect::{Addresses, Attributes, Dialect, Members, Overrides, Paging, Update};
use super::profile::{self, Profile};

/// What a service says that it can.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// PATCH.
    pub patch: Option<bool>,
    /// Filters.
    pub filter: Option<bool>,
    /// How many results of a filter it gives.
    pub most: Option<u32>,
    /// Versions of resources.
    pub etag: Option<bool>,
    /// Bulk requests.
    pub bulk: Option<bool>,
    /// Sorting.
    pub sort: Option<bool>,
    /// Lists by cursor.
    pub cursor: Option<bool>,
    /// Lists by index.
    pub index: Option<bool>,
    /// How long a page may be.
    pub page: Option<u32>,
    /// Whether members come only when they are asked for by name.
    pub members_on_request: bool,
    /// Where its users and groups are, below the address.
    pub users: Option<String>,
    /// Where its groups are.
    pub groups: Option<String>,
}

impl Service {
    /// Of what the three discovery endpoints answered; each may be missing.
    pub(super) fn read(config: Option<&Value>, types: Option<&Value>, schemas: Option<&Value>) -> Self {
        let supported = |name: &str| config?.get(name)?.get("supported")?.as_bool();
        let number = |value: Option<&Value>| value?.as_u64().and_then(|value| u32::try_from(value).ok());
        let pagination = config.and_then(|config| config.get("pagination"));
        let paging = |name: &str| pagination?.get(name)?.as_bool();
        Self {
            patch: supported("patch"),
            filter: supported("filter"),
            most: number(config.and_then(|config| config.get("filter")?.get("maxResults")))
                .filter(|most| *most > 0),
            etag: supported("etag"),
            bulk: supported("bulk"),
            sort: supported("sort"),
            cursor: paging("cursor"),
            index: paging("index"),
            page: number(pagination.and_then(|paging| paging.get("maxPageSize"))).filter(|most| *most > 0),
            members_on_request: on_request(schemas),
            users: endpoint(types, "User"),
            groups: endpoint(types, "Group"),
        }
    }

    /// What its answers tell of the profile that fits: the forms that only one kind of service has.
    pub(super) fn profile(config: Option<&Value>) -> Option<&'static Profile> {
        let config = config?;
        let pointer = |path: &str| config.pointer(path);
        // django-scim2 announces no filters, and the limits of Bulk although it has none.
        let is_django = pointer("/filter/supported") == Some(&false.into())
            && pointer("/filter/maxResults") == Some(&50.into())
            && pointer("/bulk/supported") == Some(&false.into())
            && pointer("/bulk/maxOperations") == Some(&1000.into());
        // SCIMMY writes its locations without a host, and announces this page.
        let location = pointer("/meta/location").and_then(Value::as_str).unwrap_or_default();
        let scheme = pointer("/authenticationSchemes/0/name").and_then(Value::as_str).unwrap_or_default();
        let is_scimmy = location.starts_with('/')
            && scheme.starts_with("OAuth")
            && pointer("/filter/maxResults") == Some(&200.into());
        let is_scim2_server = scheme == "bearer_token" && pointer("/filter/maxResults") == Some(&1000.into());
        match () {
            () if is_django => profile::named("django"),
            () if is_scimmy => profile::named("scimmy"),
            () if is_scim2_server => profile::named("scim2-server"),
            () => None,
        }
    }

    /// The dialect of `profile` as far as this service contradicts it, under what the administrator says.
    pub(super) fn dialect(&self, profile: &Profile, overrides: &Overrides) -> Dialect {
        let mut dialect = profile.dialect;
        if self.patch == Some(false) {
            dialect.user_update = Update::Put;
            dialect.group_update = Update::Put;
        }
        if self.cursor == Some(true) && self.index == Some(false) {
            dialect.paging = Paging::Cursor;
        }
        if self.members_on_request && dialect.members == Members::Given {
            dialect.members = Members::Asked;
        }
        if let Some(most) = self.page.or(self.most) {
            dialect.page = dialect.page.min(most);
        }
        overrides.over(dialect)
    }
}

/// Whether the schema of groups says that members come only on request.
fn on_request(schemas: Option<&Value>) -> bool {
    let group = schemas.and_then(|schemas| {
        let all = schemas.get("Resources")?.as_array()?;
        all.iter().find(|schema| {
            schema.get("id").and_then(Value::as_str) == Some(crate::scim::schema::GROUP_CORE.id)
        })
    });
    let attributes = group.and_then(|group| group.get("attributes")?.as_array());
    attributes.into_iter().flatten().any(|attribute| {
        attribute.get("name").and_then(Value::as_str) == Some("members")
            && attribute.get("returned").and_then(Value::as_str) == Some("request")
    })
}

/// The last part of the path at which the resources of a type are; only a plain name counts.
fn endpoint(types: Option<&Value>, name: &str) -> Option<String> {
    let all = types?.get("Resources")?.as_array()?;
    let of = all.iter().find(|of| of.get("name").and_then(Value::as_str) == Some(name))?;
    let place = of.get("endpoint")?.as_str()?.trim_end_matches('/').rsplit('/').next()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (!place.is_empty() && place.bytes().all(plain)).then(|| place.to_owned())
}

/// What a dialect means for people: each line is shown in status.
pub(super) fn lines(dialect: &Dialect) -> Vec<String> {
    let update = |update| match update {
        Update::Patch => "PATCH",
        Update::Put => "PUT",
    };
    let mut lines = vec![
        format!(
            "users are changed by {}, groups by {}",
            update(dialect.user_update),
            update(dialect.group_update)
        ),
        format!(
            "at most {} in one request",
            crate::words::count(dialect.members_per_request as u64, "member", "members")
        ),
    ];
    if dialect.members == Members::Never {
        lines.push("groups do not show their members".to_owned());
    }
    if dialect.addresses == Addresses::Primary {
        lines.push("one e-mail address of a user is kept".to_owned());
    }
    if let Attributes::Only(these) = dialect.attributes {
        lines.push(format!("of the attributes of users, only {} are kept", these.join(", ")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_service_that_says_nothing_is_met_as_its_profile_says() {
        let service = Service::read(None, None, None);
        assert_eq!(service, Service::default());
        assert_eq!(service.dialect(profile::standard(), &Overrides::default()), profile::standard().dialect);
    }

    #[test]
    fn what_it_says_counts_and_what_the_administrator_says_counts_more() {
        let config = json!({
            "patch": { "supported": false },
            "filter": { "supported": true, "maxResults": 20 },
            "pagination": { "cursor": true, "index": false, "maxPageSize": 30 },
        });
        let types = json!({ "Resources": [{ "name": "User", "endpoint": "/scim/v2/People" }, { "name": "Group", "endpoint": "/../x?y" }] });
        let group = crate::scim::schema::GROUP_CORE.id;
        let schemas = json!({ "Resources": [{ "id": group, "attributes": [{ "name": "members", "returned": "request" }] }] });
        let service = Service::read(Some(&config), Some(&types), Some(&schemas));
        assert_eq!((service.users.as_deref(), service.groups.as_deref()), (Some("People"), None));
        let dialect = service.dialect(profile::standard(), &Overrides::default());
        assert_eq!(
            (dialect.user_update, dialect.paging, dialect.members, dialect.page),
            (Update::Put, Paging::Cursor, Members::Asked, 30)
        );
        let overrides = Overrides {
            user_update: Some(Update::Patch),
            page: Some(5),
            members_per_request: Some(0),
            ..Overrides::default()
        };
        let dialect = service.dialect(profile::standard(), &overrides);
        assert_eq!((dialect.user_update, dialect.page, dialect.members_per_request), (Update::Patch, 5, 1));
    }

    #[test]
    fn nonsense_is_as_if_nothing_was_said() {
        for nonsense in [
            json!({}),
            json!({ "patch": "yes", "filter": 7, "pagination": [] }),
            json!({ "filter": { "maxResults": 0 } }),
        ] {
            assert_eq!(Service::read(Some(&nonsense), Some(&nonsense), Some(&nonsense)), Service::default());
            assert!(Service::profile(Some(&nonsense)).is_none());
        }
    }
}
