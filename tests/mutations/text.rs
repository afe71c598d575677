//! Texts that are parsed: they are taken or refused, and whatever is taken is taken again.

use rollcall::directory::Dn;
use rollcall::scim::Filter;
use rollcall::scim::schema::{GROUP, USER};
use rollcall::source::ldap::is_filter;
use rollcall::spec::manifest::Manifests;

use super::damage::{Dice, damage};
use super::each;

fn damaged(texts: &[&str], dice: &mut Dice) -> String {
    let mut bytes = texts[dice.below(texts.len())].as_bytes().to_vec();
    damage(&mut bytes, dice);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn names_are_taken_or_refused() {
    let texts = [
        "uid=ann,ou=people,dc=corp,dc=example",
        "CN=Smith\\, John+SN=\"Smith; J\",OU=#04024869 , 2.5.4.10=Ünï\\c3\\9c",
    ];
    each("NAMES", 1000, |dice| {
        if let Ok(dn) = Dn::parse(&damaged(&texts, dice)) {
            assert_eq!(Dn::parse(dn.as_str()).as_ref(), Ok(&dn));
            assert!(dn.is_within(&dn.common_suffix(&dn)));
        }
    });
}

#[test]
fn ldap_filters_are_taken_or_refused() {
    let texts = [
        "(&(objectClass=person)(!(|(uid=a*b*c)(mail=*)))(cn~=x)(age>=1)(age<=9))",
        r"(|(cn:dn:2.4.6:=a\2a\28)(:caseExactMatch:=x)(member;range=0-*=y))",
    ];
    each("LDAP_FILTERS", 1000, |dice| {
        let filter = damaged(&texts, dice);
        let within = format!("(!{filter})");
        assert!(!filter.starts_with('(') || is_filter(&filter) == is_filter(&within), "{filter}");
    });
}

#[test]
fn scim_filters_are_taken_or_refused() {
    let texts = [
        "userName eq \"ann\" and (active eq true or not (emails[type eq \"work\" and value co \"@x\"]))",
        "urn:ietf:params:scim:schemas:core:2.0:User:name.familyName sw \"\\u00e4\" and meta.lastModified gt \"2026-01-01T00:00:00Z\"",
    ];
    each("SCIM_FILTERS", 1000, |dice| {
        drop(Filter::parse(&damaged(&texts, dice), &[&USER, &GROUP]));
    });
}

#[test]
fn manifests_are_taken_or_refused() {
    let texts =
        [include_str!("../../examples/ldap.yaml"), include_str!("../../examples/active-directory.yaml")];
    each("MANIFESTS", 200, |dice| {
        let mut manifests = Manifests::default();
        manifests.text("damaged", &damaged(&texts, dice), None);
        drop(rollcall::spec::resolve(&manifests.objects));
    });
}
