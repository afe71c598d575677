//! Attributes that no entry shows, and how to let the account see them. Pure.
//!
//! A directory says nothing of attributes that an account may not read: they are just not there.

use std::collections::BTreeSet;

use super::active_directory::ActiveDirectoryConfig;
use super::config::{Bind, GenericConfig};
use super::domino::DominoConfig;
use super::root_dse;
use crate::source::schema::{self, active_directory, domino};

impl ActiveDirectoryConfig {
    /// The attributes that state a neutral field, in lower case.
    pub fn attributes_of(field: &str) -> Vec<&'static str> {
        active_directory::attributes_of(field)
    }

    /// What to say of these fields of the directory, of which nothing came.
    pub fn unseen(&self, fields: &BTreeSet<&str>, directory: &str) -> Option<String> {
        let attributes = attributes(fields, active_directory::attributes_of);
        // The last that it names is the domain that is read; the first may be the forest's.
        let domain = directory.rsplit(' ').next().unwrap_or(directory);
        let base = self.ldap.base_dns.first().map_or(domain, String::as_str);
        let who = self.ldap.bind.as_ref().map_or("ACCOUNT", |bind| bind.dn.as_str());
        let rights: Vec<String> = attributes.iter().map(|name| format!("\"{who}:RP;{name}\"")).collect();
        said(&attributes, &format!("dsacls \"{base}\" /I:S /G {}", rights.join(" ")))
    }
}

impl GenericConfig {
    /// The attributes that state a neutral field, in lower case.
    pub fn attributes_of(field: &str) -> Vec<&'static str> {
        schema::attributes_of(field)
    }

    /// What to say of these fields of a directory of this vendor, of which nothing came.
    pub fn unseen(&self, fields: &BTreeSet<&str>, vendor: Option<&str>) -> Option<String> {
        let attributes = attributes(fields, schema::attributes_of);
        let (dn, names) = (self.ldap.bind.as_ref().map(|Bind { dn, .. }| dn), attributes.join(","));
        let grant = match vendor {
            Some(vendor) if root_dse::is_389(vendor) => {
                let who = dn.map_or("anyone", String::as_str);
                let targets = attributes.join(" || ");
                format!(
                    "(targetattr=\"{targets}\")(version 3.0; acl \"rollcall\"; allow (read, search, compare) \
                     userdn=\"ldap:///{who}\";) as an aci of the base"
                )
            }
            Some(vendor) if !root_dse::is_openldap(vendor) => "give it permission to read them".to_owned(),
            _ => {
                let who = dn.map_or_else(|| "anonymous".to_owned(), |dn| format!("dn.exact=\"{dn}\""));
                format!("access to attrs={names} by {who} read by * break (OpenLDAP)")
            }
        };
        said(&attributes, &grant)
    }
}

impl DominoConfig {
    /// What to say of these fields of the directory, of which nothing came.
    pub fn unseen(&self, fields: &BTreeSet<&str>) -> Option<String> {
        let attributes = attributes(fields, domino::attributes_of);
        let grant = match self.ldap.bind {
            Some(_) => {
                "give it Reader access to the Domino Directory, and let no extended access control list hide them"
            }
            None => {
                "add them to the fields that anonymous users can query via LDAP, in the domain's Configuration Settings document"
            }
        };
        said(&attributes, grant)
    }
}

fn attributes(fields: &BTreeSet<&str>, of: fn(&str) -> Vec<&'static str>) -> Vec<String> {
    let own = |field: &&str| match field.strip_prefix("attributes.") {
        Some(literal) => vec![literal.to_owned()],
        None => of(field).into_iter().map(str::to_owned).collect(),
    };
    fields.iter().flat_map(own).collect()
}

/// Nothing of what this kind of directory does not have.
fn said(attributes: &[String], grant: &str) -> Option<String> {
    let names = attributes.join(", ");
    (!attributes.is_empty()).then(|| {
        format!(
            "policies use {names}, and no entry shows it: either no entry has it, or the account that reads may not \
             see it; to allow that: {grant}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::fields;

    #[test]
    fn every_field_has_attributes() {
        for field in fields::OF_USER.iter().chain(fields::OF_GROUP).chain([&fields::MEMBERS]) {
            let (exchange, cloud) = (*field == fields::MAILBOX, *field == fields::USER_TYPE);
            assert_eq!(active_directory::attributes_of(field).is_empty(), cloud, "{field}");
            assert_eq!(schema::attributes_of(field).is_empty(), exchange || cloud, "{field}");
        }
    }
}
