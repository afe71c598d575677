//! The schemas of our resources (RFC 7643 sections 3.1, 4 and 7), which are published and tell filters how attributes
//! are compared.

use serde_json::{Map, Value, json};

/// A schema: an URN and the attributes that it defines.
#[derive(Debug)]
pub struct Schema {
    /// Its URN.
    pub id: &'static str,
    name: &'static str,
    about: &'static str,
    /// Its attributes.
    pub attributes: &'static [Definition],
}

/// A kind of resource: a core schema, and an extension.
#[derive(Debug)]
pub struct ResourceType {
    /// `User` or `Group`.
    pub name: &'static str,
    /// Where such resources are, within the service: `Users`.
    pub endpoint: &'static str,
    about: &'static str,
    /// The schema of the attributes at the top of the resource.
    pub core: &'static Schema,
    /// The schema of the attributes under the extension's URN.
    pub extension: &'static Schema,
}

/// An attribute, with the characteristics that RFC 7643 section 2.2 gives it.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "RFC 7643 has them so, each apart")]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// What its values are.
    pub kind: AttributeType,
    /// Whether it has several values.
    pub many: bool,
    /// Whether letter case matters in comparisons.
    pub exact: bool,
    /// What its values consist of, if they are complex.
    pub parts: &'static [Definition],
    about: &'static str,
    required: bool,
    unique: bool,
    always: bool,
    values: &'static [&'static str],
}

/// What the values of an attribute are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeType {
    /// Texts.
    Text,
    /// An address of something on the web.
    Reference,
    /// True or false.
    Boolean,
    /// Objects.
    Complex,
}

impl Definition {
    const fn new(name: &'static str, kind: AttributeType, about: &'static str) -> Self {
        Self {
            name,
            kind,
            many: false,
            exact: false,
            parts: &[],
            about,
            required: false,
            unique: false,
            always: false,
            values: &[],
        }
    }

    const fn text(name: &'static str, about: &'static str) -> Self {
        Self::new(name, AttributeType::Text, about)
    }

    const fn complex(name: &'static str, about: &'static str, parts: &'static [Definition]) -> Self {
        Self { parts, ..Self::new(name, AttributeType::Complex, about) }
    }

    const fn many(self) -> Self {
        Self { many: true, ..self }
    }

    const fn exact(self) -> Self {
        Self { exact: true, ..self }
    }

    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    const fn unique(self) -> Self {
        Self { unique: true, ..self }
    }

    const fn always(self) -> Self {
        Self { always: true, ..self }
    }

    const fn of(self, values: &'static [&'static str]) -> Self {
        Self { values, ..self }
    }

    /// The part of this name; letter case is of no account in names.
    pub fn part(&self, name: &str) -> Option<&'static Definition> {
        find(self.parts, name)
    }

    /// Whether it is shown whatever the reader asked for.
    pub(super) fn is_always(&self) -> bool {
        self.always
    }

    fn published(&self) -> Value {
        let mut fields = Map::new();
        let kind = match self.kind {
            AttributeType::Text => "string",
            AttributeType::Reference => "reference",
            AttributeType::Boolean => "boolean",
            AttributeType::Complex => "complex",
        };
        fields.insert("name".to_owned(), self.name.into());
        fields.insert("type".to_owned(), kind.into());
        fields.insert("multiValued".to_owned(), self.many.into());
        fields.insert("description".to_owned(), self.about.into());
        fields.insert("required".to_owned(), self.required.into());
        if matches!(self.kind, AttributeType::Text | AttributeType::Reference) {
            fields.insert("caseExact".to_owned(), self.exact.into());
        }
        if self.kind == AttributeType::Reference {
            fields.insert("referenceTypes".to_owned(), json!(["external"]));
        }
        if !self.values.is_empty() {
            fields.insert("canonicalValues".to_owned(), self.values.into());
        }
        // Nobody writes over SCIM: who does is the policy.
        fields.insert("mutability".to_owned(), "readOnly".into());
        fields.insert("returned".to_owned(), if self.is_always() { "always" } else { "default" }.into());
        fields.insert("uniqueness".to_owned(), if self.unique { "server" } else { "none" }.into());
        if self.kind == AttributeType::Complex {
            let parts: Vec<Value> = self.parts.iter().map(Self::published).collect();
            fields.insert("subAttributes".to_owned(), parts.into());
        }
        fields.into()
    }
}

/// The definition of this name, whatever its letter case.
pub fn find(among: &'static [Definition], name: &str) -> Option<&'static Definition> {
    among.iter().find(|definition| definition.name.eq_ignore_ascii_case(name))
}

impl Schema {
    /// The schema as it is published at `base` (RFC 7643 section 7).
    pub fn published(&self, base: &str) -> Value {
        let attributes: Vec<Value> = self.attributes.iter().map(Definition::published).collect();
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": self.id,
            "name": self.name,
            "description": self.about,
            "attributes": attributes,
            "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{}", self.id) },
        })
    }
}

impl ResourceType {
    /// The kind of resource as it is published at `base` (RFC 7643 section 6).
    pub fn published(&self, base: &str) -> Value {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": self.name,
            "name": self.name,
            "description": self.about,
            "endpoint": format!("/{}", self.endpoint),
            "schema": self.core.id,
            "schemaExtensions": [{ "schema": self.extension.id, "required": false }],
            "meta": { "resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", self.name) },
        })
    }
}

/// What every resource has; no schema defines it (RFC 7643 section 3.1).
pub const COMMON: &[Definition] = &[
    Definition::text("schemas", "URNs of the schemas of the resource.").many().exact().always(),
    Definition::text("id", "The resource's id.").exact().always(),
    Definition::text("externalId", "The client's identifier; here, the same as the id.").exact(),
    Definition::complex(
        "meta",
        "Metadata of the resource.",
        &[
            Definition::text("resourceType", "The resource type.").exact(),
            Definition::text("location", "The URL of the resource.").exact(),
            Definition::text("version", "The version, which changes whenever the resource does.").exact(),
        ],
    ),
];

/// People.
pub const USER: ResourceType = ResourceType {
    name: "User",
    endpoint: "Users",
    about: "A user.",
    core: &USER_CORE,
    extension: &ENTERPRISE,
};

/// Groups.
pub const GROUP: ResourceType = ResourceType {
    name: "Group",
    endpoint: "Groups",
    about: "A group of users and groups.",
    core: &GROUP_CORE,
    extension: &GROUP_EXTENSION,
};

/// Every schema that is published.
pub const SCHEMAS: &[&Schema] = &[&USER_CORE, &ENTERPRISE, &GROUP_CORE, &GROUP_EXTENSION];

/// A user's core schema.
pub static USER_CORE: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:User",
    name: "User",
    about: "A user.",
    attributes: &[
        Definition::text("userName", "Unique among users, whatever its letter case.").required().unique(),
        Definition::complex(
            "name",
            "The parts of the user's name.",
            &[
                Definition::text("formatted", "The whole name."),
                Definition::text("familyName", "The family name."),
                Definition::text("givenName", "The given name."),
                Definition::text("middleName", "The middle name."),
                Definition::text("honorificPrefix", "The honorific prefix."),
                Definition::text("honorificSuffix", "The honorific suffix."),
            ],
        ),
        Definition::text("displayName", "The display name."),
        Definition::text("nickName", "The nickname."),
        Definition::new("profileUrl", AttributeType::Reference, "The URL of a page about the user."),
        Definition::text("title", "The job title."),
        Definition::text("userType", "The relationship to the organisation, such as employee."),
        Definition::text("preferredLanguage", "The preferred language."),
        Definition::text("locale", "The locale for dates and numbers."),
        Definition::text("timezone", "The time zone."),
        Definition::new("active", AttributeType::Boolean, "Whether the account is active."),
        Definition::complex(
            "emails",
            "E-mail addresses, the primary one first.",
            &[
                Definition::text("value", "The address."),
                Definition::text("type", "The kind, such as work or home.").of(&["work"]),
                Definition::new("primary", AttributeType::Boolean, "Whether it is the primary one."),
            ],
        )
        .many(),
        Definition::complex(
            "phoneNumbers",
            "Telephone numbers.",
            &[
                Definition::text("value", "The number."),
                Definition::text("type", "The kind, such as work or home.").of(&["work", "mobile"]),
            ],
        )
        .many(),
        Definition::complex(
            "addresses",
            "Postal addresses.",
            &[
                Definition::text("formatted", "The whole address."),
                Definition::text("type", "The kind, such as work or home.").of(&["work"]),
            ],
        )
        .many(),
    ],
};

/// What companies know of a user (RFC 7643 section 4.3).
pub static ENTERPRISE: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    name: "EnterpriseUser",
    about: "The organisation's data about a user.",
    attributes: &[
        Definition::text("employeeNumber", "The employee number."),
        Definition::text("costCenter", "The cost centre."),
        Definition::text("organization", "The organisation."),
        Definition::text("division", "The division."),
        Definition::text("department", "The department."),
    ],
};

/// A group's core schema.
pub static GROUP_CORE: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:Group",
    name: "Group",
    about: "A group of users and groups.",
    attributes: &[
        Definition::text("displayName", "Unique among groups, whatever its letter case.").required().unique(),
        Definition::complex(
            "members",
            "The members.",
            &[
                Definition::text("value", "The member's id.").exact(),
                Definition::text("display", "The member's userName or displayName."),
                Definition::text("type", "The type of the member.").of(&["User", "Group"]),
            ],
        )
        .many(),
    ],
};

/// Ours: RFC 7643 gives a group neither an address nor a description.
pub static GROUP_EXTENSION: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:extension:rollcall:2.0:Group",
    name: "RollcallGroup",
    about: "The directory's data about a group.",
    attributes: &[
        Definition::text("mail", "The group's e-mail address."),
        Definition::text("description", "The purpose of the group."),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::{Group, Member, MemberType, USER_ATTRIBUTES, User};
    use litemap::LiteMap;

    /// Names in `value` that `definitions` lack.
    fn undefined(value: &Value, definitions: &'static [Definition], path: &str, found: &mut Vec<String>) {
        let each: Vec<&Value> = value.as_array().map_or_else(|| vec![value], |many| many.iter().collect());
        for object in each.into_iter().filter_map(Value::as_object) {
            for (name, value) in object {
                match definitions.iter().find(|definition| definition.name == name) {
                    Some(definition) => undefined(value, definition.parts, &format!("{path}{name}."), found),
                    None => found.push(format!("{path}{name}")),
                }
            }
        }
    }

    fn undefined_in(resource: &Value, of: &ResourceType) -> Vec<String> {
        let mut found = Vec::new();
        let mut resource = resource.as_object().unwrap().clone();
        if let Some(extension) = resource.remove(of.extension.id) {
            undefined(&extension, of.extension.attributes, "extension.", &mut found);
        }
        resource.retain(|name, _| find(COMMON, name).is_none());
        undefined(&resource.into(), of.core.attributes, "", &mut found);
        found
    }

    #[test]
    fn all_that_resources_hold_is_defined() {
        let all: LiteMap<String, String> =
            USER_ATTRIBUTES.iter().map(|attribute| (attribute.name.to_owned(), "x".to_owned())).collect();
        let user = User::new("1".into(), "ada".into(), &["a@b".to_owned()], &all, true, "/1".into());
        assert_eq!(undefined_in(&serde_json::to_value(user).unwrap(), &USER), [""; 0]);
        let member = Member { display: "ada".into(), value: "1".into(), r#type: MemberType::User };
        let of_group =
            ["mail", "description"].map(|name| (name.to_owned(), "x".to_owned())).into_iter().collect();
        let group = Group::new("2".into(), "Poets".into(), vec![member], &of_group, "/2".into());
        let mut group = serde_json::to_value(group).unwrap();
        assert_eq!(undefined_in(&group, &GROUP), [""; 0]);
        group["shoeSize"] = "38".into();
        assert_eq!(undefined_in(&group, &GROUP), ["shoeSize"]);
    }

    #[test]
    fn schemas_are_published_as_read_only() {
        let published = USER_CORE.published("http://here");
        assert_eq!(published["meta"]["location"], format!("http://here/Schemas/{}", USER_CORE.id));
        let user_name = &published["attributes"][0];
        assert_eq!(user_name["mutability"], "readOnly");
        assert_eq!((&user_name["caseExact"], &user_name["uniqueness"]), (&false.into(), &"server".into()));
    }
}
