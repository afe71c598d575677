//! The attributes of a SCIM user that a mapping can set, and their place in the resource.

/// An attribute of a user that a mapping can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name in a mapping.
    pub name: &'static str,
    /// Its place in the resource (RFC 7643 sections 4.1 and 4.3).
    pub(super) place: Place,
}

/// The place of an attribute in the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At the top.
    Top,
    /// Within `name`.
    Name,
    /// A telephone number of this type.
    Phone(&'static str),
    /// An address of type `work`, as one text.
    Address,
    /// In the enterprise extension.
    Enterprise,
}

/// Every attribute that a mapping can set, sorted by name.
pub const USER_ATTRIBUTES: &[Attribute] = &[
    Attribute { name: "address", place: Place::Address },
    Attribute { name: "costCenter", place: Place::Enterprise },
    Attribute { name: "department", place: Place::Enterprise },
    Attribute { name: "displayName", place: Place::Top },
    Attribute { name: "division", place: Place::Enterprise },
    Attribute { name: "employeeNumber", place: Place::Enterprise },
    Attribute { name: "familyName", place: Place::Name },
    Attribute { name: "formatted", place: Place::Name },
    Attribute { name: "givenName", place: Place::Name },
    Attribute { name: "honorificPrefix", place: Place::Name },
    Attribute { name: "honorificSuffix", place: Place::Name },
    Attribute { name: "locale", place: Place::Top },
    Attribute { name: "middleName", place: Place::Name },
    Attribute { name: "mobile", place: Place::Phone("mobile") },
    Attribute { name: "nickName", place: Place::Top },
    Attribute { name: "organization", place: Place::Enterprise },
    Attribute { name: "preferredLanguage", place: Place::Top },
    Attribute { name: "profileUrl", place: Place::Top },
    Attribute { name: "telephoneNumber", place: Place::Phone("work") },
    Attribute { name: "timezone", place: Place::Top },
    Attribute { name: "title", place: Place::Top },
    Attribute { name: "userType", place: Place::Top },
];

/// The attribute of this name.
pub fn user_attribute(name: &str) -> Option<&'static Attribute> {
    let at = USER_ATTRIBUTES.binary_search_by(|attribute| attribute.name.cmp(name)).ok()?;
    USER_ATTRIBUTES.get(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_is_found_by_its_name() {
        for attribute in USER_ATTRIBUTES {
            assert_eq!(user_attribute(attribute.name), Some(attribute));
        }
        assert_eq!(user_attribute("surname"), None);
    }
}
