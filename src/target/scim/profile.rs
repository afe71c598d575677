//! What services do otherwise than RFC 7644 says, as data: a profile for each service, whose fields can be overridden.

use super::dialect::{
    Addresses, Attributes, Booleans, Deletion, Dialect, Keys, LookUp, Members, Operators, Paging, Rates,
    Removal, Update,
};
use crate::target::{NameLimits, Names};

/// A service, or a kind of service.
#[derive(Debug)]
pub struct Profile {
    /// Its name in `target.scim.profile`.
    pub name: &'static str,
    /// What it is for.
    pub service: &'static str,
    /// Where its fields come from.
    pub evidence: Evidence,
    /// What it does.
    pub dialect: Dialect,
}

/// Where the fields of a profile come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// From the RFC alone.
    Standard,
    /// From requests to this version.
    Measured(&'static str),
    /// From the vendor's documentation; nobody tried.
    Documented(&'static str),
}

/// A service that does what the RFC says, met with care.
const STANDARD: Dialect = Dialect {
    user_update: Update::Patch,
    group_update: Update::Patch,
    operators: Operators::Lower,
    booleans: Booleans::Json,
    removal: Removal::ByPath,
    members_per_request: 100,
    members: Members::Given,
    adds_twice: true,
    paging: Paging::Index,
    page: 100,
    keys: Keys { users: true, groups: true },
    user_key: LookUp::Unproven,
    user_name: LookUp::Unproven,
    user_address: LookUp::Unproven,
    group_key: LookUp::Unproven,
    group_name: LookUp::Unproven,
    names_by_case: false,
    user_names: Names::UniqueIgnoringCase,
    group_names: Names::Shared,
    user_limits: NameLimits::UNKNOWN,
    group_limits: NameLimits::UNKNOWN,
    addresses: Addresses::All,
    attributes: Attributes::All,
    nested: true,
    deletion: Deletion::Deletes,
    rates: Rates { reads: None, writes: None },
    at_once: 4,
};

/// Where look-ups are known to work.
const FOUND: Dialect = Dialect {
    user_key: LookUp::Filter,
    user_name: LookUp::Filter,
    group_key: LookUp::Filter,
    group_name: LookUp::Filter,
    ..STANDARD
};

/// Neither a user nor a group may be called so (docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference, `CreateUser` and
/// `CreateGroup`, which say how long names may be, too).
const RESERVED_AT_AWS: &[&str] = &["Administrator", "AWSAdministrators"];

/// Every profile; the first is what is assumed of a service that is not recognized.
pub const PROFILES: &[Profile] = &[
    Profile {
        name: "standard",
        service: "any service that follows RFC 7643 and RFC 7644",
        evidence: Evidence::Standard,
        dialect: STANDARD,
    },
    Profile {
        name: "scim2-server",
        service: "scim2-server",
        evidence: Evidence::Measured("scim2-server 0.8.3"),
        dialect: Dialect { user_address: LookUp::Filter, adds_twice: false, page: 1000, ..FOUND },
    },
    Profile {
        name: "scimmy",
        service: "applications on SCIMMY (Node.js)",
        evidence: Evidence::Measured("scimmy 1.3.5, scimmy-routers 1.3.2"),
        // A filter on addresses is an error as soon as one user has none.
        dialect: Dialect { user_address: LookUp::List, names_by_case: true, page: 200, ..FOUND },
    },
    Profile {
        name: "django",
        service: "applications on django-scim2 (Python)",
        evidence: Evidence::Measured("django-scim2 0.23.0, Django 5.2.19"),
        dialect: Dialect {
            user_update: Update::Put,
            group_update: Update::Put,
            removal: Removal::ByValue,
            adds_twice: false,
            page: 50,
            user_key: LookUp::List,
            user_name: LookUp::Filter,
            user_address: LookUp::List,
            group_key: LookUp::List,
            group_name: LookUp::List,
            names_by_case: true,
            user_names: Names::UniqueByCase,
            group_names: Names::UniqueByCase,
            addresses: Addresses::Primary,
            attributes: Attributes::Only(&["familyName", "givenName"]),
            // The number of a group is taken for the number of a user.
            nested: false,
            // More end in "database is locked" on SQLite.
            at_once: 1,
            ..STANDARD
        },
    },
    Profile {
        name: "keycloak",
        service: "Keycloak",
        evidence: Evidence::Measured("Keycloak 26.7.3, feature scim-api"),
        dialect: Dialect {
            members: Members::Asked,
            adds_twice: false,
            keys: Keys { users: false, groups: true },
            user_key: LookUp::None,
            group_names: Names::UniqueByCase,
            addresses: Addresses::Primary,
            nested: false,
            ..FOUND
        },
    },
    Profile {
        name: "ory-polis",
        service: "Ory Polis (SAML Jackson)",
        evidence: Evidence::Measured("@boxyhq/saml-jackson 26.2.0"),
        dialect: Dialect {
            members: Members::Never,
            adds_twice: false,
            keys: Keys { users: true, groups: false },
            // Whatever a filter names, it is compared with the first address.
            user_key: LookUp::List,
            user_name: LookUp::List,
            user_address: LookUp::Filter,
            group_key: LookUp::None,
            // What must be unique is the first address.
            user_names: Names::Shared,
            group_names: Names::UniqueByCase,
            ..FOUND
        },
    },
    Profile {
        name: "better-auth",
        service: "applications on Better Auth",
        evidence: Evidence::Measured("@better-auth/scim 1.7.5"),
        dialect: Dialect {
            adds_twice: false,
            nested: false,
            group_names: Names::UniqueIgnoringCase,
            ..FOUND
        },
    },
    Profile {
        name: "scimple",
        service: "applications on Apache Directory SCIMple",
        evidence: Evidence::Measured("SCIMple 1.0.0-M1"),
        dialect: Dialect { ..FOUND },
    },
    Profile {
        name: "scim-sdk",
        service: "applications on scim-sdk-server (Java)",
        evidence: Evidence::Measured("scim-sdk-server 1.30.0"),
        dialect: Dialect { page: 200, ..FOUND },
    },
    Profile {
        name: "aws-iam-identity-center",
        service: "AWS IAM Identity Center",
        evidence: Evidence::Documented("docs.aws.amazon.com/singlesignon/latest/developerguide"),
        dialect: Dialect {
            members: Members::Never,
            adds_twice: false,
            paging: Paging::Cursor,
            user_address: LookUp::List,
            group_names: Names::UniqueIgnoringCase,
            user_limits: NameLimits { longest: Some(128), reserved: RESERVED_AT_AWS },
            group_limits: NameLimits { longest: Some(1024), reserved: RESERVED_AT_AWS },
            addresses: Addresses::Primary,
            nested: false,
            ..FOUND
        },
    },
    Profile {
        name: "github-emu",
        service: "GitHub Enterprise Managed Users",
        evidence: Evidence::Documented("docs.github.com/enterprise-cloud@latest/rest/enterprise-admin/scim"),
        dialect: Dialect {
            user_address: LookUp::List,
            nested: false,
            // 1,000 users an hour.
            rates: Rates { reads: None, writes: Some(16) },
            at_once: 1,
            ..FOUND
        },
    },
    Profile {
        name: "slack",
        service: "Slack",
        evidence: Evidence::Documented("docs.slack.dev/reference/scim-api/rate-limits"),
        dialect: Dialect {
            user_key: LookUp::List,
            group_key: LookUp::List,
            keys: Keys { users: true, groups: false },
            page: 1000,
            nested: false,
            deletion: Deletion::Disables,
            rates: Rates { reads: Some(300), writes: Some(180) },
            ..FOUND
        },
    },
    Profile {
        name: "google-cloud-identity",
        service: "Google Cloud Identity",
        evidence: Evidence::Documented("docs.cloud.google.com/identity/docs/scim"),
        dialect: Dialect {
            removal: Removal::OneAtATime,
            members_per_request: 1,
            user_address: LookUp::Unproven,
            ..FOUND
        },
    },
    Profile {
        name: "okta-style",
        service: "services made for Okta's client",
        evidence: Evidence::Documented("developer.okta.com/docs/reference/scim/scim-20"),
        dialect: Dialect { user_update: Update::Put, user_key: LookUp::Unproven, nested: false, ..FOUND },
    },
    Profile {
        name: "entra-style",
        service: "services made for the client of Microsoft Entra ID",
        evidence: Evidence::Documented(
            "learn.microsoft.com/entra/identity/app-provisioning/use-scim-to-provision-users-and-groups",
        ),
        dialect: Dialect {
            operators: Operators::Capital,
            booleans: Booleans::Text,
            removal: Removal::ByValue,
            nested: false,
            ..FOUND
        },
    },
];

/// The profile of this name.
pub fn named(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}

/// The names of all.
pub fn names() -> impl Iterator<Item = &'static str> {
    PROFILES.iter().map(|profile| profile.name)
}

/// What is assumed of a service that is not recognized.
pub fn standard() -> &'static Profile {
    &PROFILES[0]
}

/// The profile of a service whose address tells what it is.
pub fn by_address(host: &str, path: &str) -> Option<&'static Profile> {
    let host = host.to_ascii_lowercase();
    let is =
        |domain: &str| host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    let name = if host.starts_with("scim.") && is("amazonaws.com") {
        "aws-iam-identity-center"
    } else if is("api.github.com") && path.contains("/scim/v2/enterprises/") {
        "github-emu"
    } else if is("api.slack.com") {
        "slack"
    } else if is("cloudidentity.googleapis.com") {
        "google-cloud-identity"
    } else if path.contains("/realms/") && path.trim_end_matches('/').ends_with("/scim/v2") {
        "keycloak"
    } else {
        return None;
    };
    named(name)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn every_profile_has_a_name_of_its_own_and_sane_bounds() {
        for profile in PROFILES {
            assert_eq!(named(profile.name).unwrap().service, profile.service);
            let Dialect { members_per_request, page, at_once, rates, .. } = profile.dialect;
            assert!((1..=100).contains(&members_per_request), "{}", profile.name);
            assert!((1..=1000).contains(&page) && at_once > 0, "{}", profile.name);
            for limits in [profile.dialect.user_limits, profile.dialect.group_limits] {
                let is_documented = matches!(profile.evidence, Evidence::Documented(_));
                assert!(limits == NameLimits::UNKNOWN || is_documented, "{}", profile.name);
            }
            assert!(rates.reads != Some(0) && rates.writes != Some(0), "{}", profile.name);
        }
        assert_eq!(standard().name, "standard");
        assert!(named("Standard").is_none());
    }

    #[rstest]
    #[case("scim.eu-west-1.amazonaws.com", "/abc/scim/v2/", Some("aws-iam-identity-center"))]
    #[case("scim.amazonaws.com.corp.example", "/", None)]
    #[case("api.github.com", "/scim/v2/enterprises/corp", Some("github-emu"))]
    #[case("api.github.com", "/scim/v2/organizations/corp", None)]
    #[case("API.slack.com", "/scim/v2", Some("slack"))]
    #[case("notapi.slack.com.example", "/scim/v2", None)]
    #[case("id.corp.example", "/realms/corp/scim/v2", Some("keycloak"))]
    #[case("id.corp.example", "/scim/v2", None)]
    fn some_addresses_tell_the_service(#[case] host: &str, #[case] path: &str, #[case] name: Option<&str>) {
        assert_eq!(by_address(host, path).map(|profile| profile.name), name);
    }
}
