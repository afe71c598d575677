//! Converts the fields that several kinds of directories have.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::api;
use crate::api::connector::{Tls, Trust};
use crate::directory::Dn;
use crate::net::http;
use crate::source::{SourceConfig, ldap};
use crate::spec::filter::joined;
use crate::spec::object::{Name, Objects};
use crate::spec::problem::Problem;
use crate::sync::expression::{Expression, Returns, Subject};

/// A connector that is being converted; what is wrong is collected.
pub(super) struct Resolving<'a> {
    pub(super) name: &'a Name,
    pub(super) objects: &'a Objects,
    /// The attributes that policies name.
    pub(super) literal: BTreeSet<String>,
    pub(super) problems: Vec<Problem>,
}

impl Resolving<'_> {
    pub(super) fn urls(&mut self, at: &str, urls: &[String], start_tls: bool, insecure: bool) {
        if urls.is_empty() {
            self.problem(&format!("{at}.urls"), "name at least one url, such as ldaps://ldap.corp.example");
        }
        for (number, url) in urls.iter().enumerate() {
            if let Err(why) = ldap::check_url(url, start_tls, insecure) {
                self.problem(&format!("{at}.urls[{number}]"), &why);
            }
        }
    }

    /// Hosts that are given in place of the usual ones.
    pub(super) fn places(&mut self, at: &str, places: &[(&str, &String)]) {
        for (field, place) in places.iter().filter(|(_, place)| !place.is_empty()) {
            if !http::is_place(place) {
                let why = format!("{place} must be https:// and a host, such as https://graph.corp.example");
                self.problem(&format!("{at}.endpoints.{field}"), &why);
            }
        }
    }

    pub(super) fn authority(&mut self, at: &str, tls: &Tls) -> Option<Vec<u8>> {
        let authority = tls.ca_ref.as_ref().map(|it| self.objects.certificates(self.name, it));
        self.followed(&format!("{at}.tls.caRef"), authority)
    }

    pub(super) fn trusted(&mut self, at: &str, trust: &Trust) -> Option<Vec<u8>> {
        let ca_pem = trust.ca_ref.as_ref().map(|it| self.objects.certificates(self.name, it));
        self.followed(&format!("{at}.tls.caRef"), ca_pem)
    }

    pub(super) fn dns(&mut self, at: &str, dns: &[String]) {
        for (number, dn) in dns.iter().enumerate() {
            if let Err(error) = Dn::parse(dn) {
                self.problem(&format!("{at}[{number}]"), &format!("{dn} is not a DN: {error}"));
            }
        }
    }

    /// The filters for users and groups that are given, each in one line.
    pub(super) fn filters(&mut self, at: &str, users: &str, groups: &str) -> [Option<String>; 2] {
        [("userFilter", users), ("groupFilter", groups)].map(|(field, text)| {
            let field = format!("{at}.{field}");
let filter = joined(text).map_err(|why| self.problem(&field, &why)).ok()?;
            if filter.is_empty() && !text.is_empty() {
                let why = "has only blanks; leave it out to read all entries of this kind, or write a filter";
                self.problem(&field, why);
            } else if !filter.is_empty() && !ldap::is_filter(&filter) {
                let why = format!(
                    "{filter} is not an LDAP filter (RFC 4515): check its parentheses, and write * ( ) \\ within a value as \
                     \\2a \\28 \\29 \\5c"
                );
                self.problem(&field, &why);
            }
            given(&filter)
        })
    }

    /// Entries are known and looked up by it, so it must be able to stand in a filter.
    pub(super) fn anchor_attribute(&mut self, at: &str, name: &str) {
        let is_word =
            |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic()) && is_word(name);
        if !(name.is_empty() || is_name || name.split('.').all(is_number)) {
            let why = "it is not an attribute name: a letter, then letters, digits, - and _, without options \
                       (;lang-de); or an OID such as 2.5.4.3";
            self.problem(at, why);
        }
    }

    /// The same of one that must outlast every rename.
    pub(super) fn lasting_attribute(&mut self, at: &str, name: &str) {
        if name.eq_ignore_ascii_case("dn") {
            let why = "a DN changes when an entry is renamed or moved; name an attribute that never changes, or leave it out";
            self.problem(at, why);
        } else {
            self.anchor_attribute(at, name);
        }
    }

    /// What the rule reads is asked for too.
    pub(super) fn disabled_when(&mut self, field: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        match Expression::compile(text, Subject::User, Returns::Bool) {
            Ok(expression) => self.literal.extend(expression.attributes().iter().cloned()),
            Err(error) => self.problem(field, &error.to_string()),
        }
    }

    pub(super) fn duration(&mut self, field: &str, text: &api::Duration) -> Option<Duration> {
        let duration = text.get();
        if duration.is_none() {
            self.problem(field, &not_a_duration(text));
        }
        duration
    }

    pub(super) fn followed<T>(&mut self, field: &str, followed: Option<Result<T, String>>) -> Option<T> {
        let object = self.object();
        followed?.map_err(|why| self.problems.push(Problem::elsewhere(&object, field, why))).ok()
    }

    pub(super) fn fail(&mut self, field: &str, message: &str) -> Option<SourceConfig> {
        self.problem(field, message);
        None
    }

    pub(super) fn problem(&mut self, field: &str, message: &str) {
        self.problems.push(Problem::new(&self.object(), field, message));
    }

    fn object(&self) -> String {
        format!("DirectoryConnector {}", self.name)
    }
}

pub(in crate::spec) fn not_a_duration(text: &api::Duration) -> String {
    format!("{:?} is not a duration; write it with ms, s, m and h, such as 90s or 1h30m", text.0)
}

pub(super) fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
