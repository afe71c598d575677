//! Texts that are parsed: they are taken or refused, and whatever is taken is taken again.

use rollcall::directory::Dn;
use rollcall::scim::Filter;
use rollcall::scim::schema::{GROUP, USER};
use rollcall::source::ldap::is_filter;
use rollcall::spec::manifest::Manifests;

use super::company::Style;
use super::damage::{Dice, damage};
use super::each_text;
use super::export;

/// One of the texts, or the beginning of one with the end of another, damaged; with words of its language put in.
fn damaged(texts: &[&str], words: &[&str], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = texts[dice.below(texts.len())].as_bytes().to_vec();
    if dice.below(4) == 0 {
        let other = texts[dice.below(texts.len())].as_bytes();
        bytes.truncate(dice.below(bytes.len() + 1));
        bytes.extend(&other[dice.below(other.len() + 1)..]);
    }
    for _ in 0..dice.below(4) {
        let (at, word) = (dice.below(bytes.len() + 1), words[dice.below(words.len())]);
        // Often once, and sometimes so often that it would nest deeply.
        let often = [1, 1, 1, 2, 20, 1000][dice.below(6)];
        bytes.splice(at..at, word.repeat(often).into_bytes());
    }
    if dice.below(8) > 0 {
        damage(&mut bytes, dice);
    }
    bytes
}

fn damaged_text(texts: &[&str], words: &[&str], dice: &mut Dice) -> String {
    String::from_utf8_lossy(&damaged(texts, words, dice)).into_owned()
}

#[test]
fn names_are_taken_or_refused() {
    let texts = [
        "uid=ann,ou=people,dc=corp,dc=example",
        "CN=Smith\\, John+SN=\"Smith; J\",OU=#04024869 , 2.5.4.10=Ünï\\c3\\9c",
        "<GUID=5b0e7e9c>;CN=a\\0ACNF:b,CN=Deleted Objects,DC=corp",
    ];
    let words =
        [",", "+", "=", "\\", "\"", "#", ";", "<", ">", " ", "cn=a,", "\\2c", "\\c3", "2.5.4.3=", "=#0401"];
    each_text("NAMES", 1000, |dice| {
        if let Ok(dn) = Dn::parse(&damaged_text(&texts, &words, dice)) {
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
    let words = [
        "(", ")", "(&", "(|", "(!", "*", "=", "~=", ">=", "<=", ":=", ":dn:", "\\", "\\2a", ";", "(a=b)",
        "(!(",
    ];
    each_text("LDAP_FILTERS", 1000, |dice| {
        let filter = damaged_text(&texts, &words, dice);
        // One that nests to the bound is none within another.
        if is_filter(&format!("(!{filter})")) {
            assert!(is_filter(&filter), "{filter}");
        }
        if is_filter(&filter) && filter.matches('(').count() < 90 {
            assert!(!filter.starts_with('(') || is_filter(&format!("(!{filter})")), "{filter}");
        }
    });
}

#[test]
fn scim_filters_are_taken_or_refused() {
    let texts = [
        "userName eq \"ann\" and (active eq true or not (emails[type eq \"work\" and value co \"@x\"]))",
        "urn:ietf:params:scim:schemas:core:2.0:User:name.familyName sw \"\\u00e4\" and meta.lastModified gt \"2026-01-01T00:00:00Z\"",
    ];
    let words = [
        "(",
        ")",
        "[",
        "]",
        "not ",
        "not (",
        " and ",
        " or ",
        "\"",
        "\\u",
        "\\ud83d\\ude00",
        "\\",
        ".",
        ":",
        " eq ",
        " pr",
        "active pr and ",
        "emails[",
        "true",
        "null",
        "1e999",
        "-",
        "urn:",
    ];
    each_text("SCIM_FILTERS", 1000, |dice| {
        drop(Filter::parse(&damaged_text(&texts, &words, dice), &[&USER, &GROUP]));
    });
}

#[test]
fn manifests_are_taken_or_refused() {
    let texts =
        [include_str!("../../examples/ldap.yaml"), include_str!("../../examples/active-directory.yaml")];
    let words = [
        "- ",
        "? ",
        ": ",
        "[",
        "]",
        "{",
        "}",
        "{ a: ",
        "&a ",
        "*a",
        "<<: *a\n",
        "\n---\n",
        "\n...\n",
        "!!binary ",
        "!a ",
        "|\n",
        ">-\n",
        "\"",
        "'",
        "\t",
        "\n  ",
        "%YAML 1.2\n",
        ".nan",
        "1e999",
        "user.attributes['a']",
        " && ",
        "(",
        "!",
        "0x",
    ];
    each_text("MANIFESTS", 200, |dice| {
        let mut manifests = Manifests::default();
        manifests.text("damaged", &damaged_text(&texts, &words, dice), None);
        drop(rollcall::spec::resolve(&manifests.objects));
    });
}

/// What else LDIF can say.
const OTHER_EXPORT: &str = "version: 1
# extended LDIF

dn: DC=corp,DC=example
changetype: add
objectClass: domainDNS
objectGUID:: nJ1vG0pZ00mU7m1gk1uVYA==
objectSid:: AQQAAAAAAAUVAAAAAQAAAAIAAAADAAAA

dn: CN=Ada Ash,OU=People,DC=corp,DC=example
objectClass: user
cn;lang-en: Ada
userPrincipalName: ada@corp.example
primaryGroupID: 513
objectSid:: AQUAAAAAAAUVAAAAAQAAAAIAAAADAAAAUQQAAA==
proxyAddresses: SMTP:ada@corp.example
thumbnailPhoto:< file:///tmp/none
accountExpires: 9223372036854775807
msExchRecipientTypeDetails: 1
objectGUID:: nJ1vG0pZ00mU7m1gk1uVYQ==

dn:: Q049R3LDvG4sT1U9R3JvdXBzLERDPWNvcnAsREM9ZXhhbXBsZQ==
objectClass: group
objectGUID:: nJ1vG0pZ00mU7m1gk1uVYg==
member;range=0-0: CN=Ada Ash,OU=People,DC=corp,DC=example
member;range=1-*: <SID=01>;CN=Bob
 ,OU=People,DC=corp,DC=example

# search reference
ref: ldap://other.example/DC=other

# numEntries: 3
";

#[test]
fn exports_are_taken_or_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let [one, two, three] = Style::ALL.map(|style| style.company().export);
    let texts = [one.as_str(), &two, &three, OTHER_EXPORT];
    let words = [
        "\n",
        "\n\n",
        "\r\n",
        "\n ",
        "# ",
        "\n#",
        "dn: ",
        "dn:: ",
        ":: ",
        ":< ",
        ": ",
        ";",
        "version: 1\n",
        "\nchangetype: modify\n",
        "-\n",
        "add: member\n",
        ";range=0-1",
        ";range=2-*",
        ";lang-de",
        ";binary",
        ";vucsn-1",
        ";deleted",
        "# numEntries: 3\n",
        "# search result\nsearch: 2\nresult: 0 Success\n",
        "\u{feff}",
        "objectClass: user\n",
        "objectClass: group\n",
        "isDeleted: TRUE\n",
        "member: cn=x\n",
        "memberUid: ada\n",
        "entryUUID: 1\n",
        "=",
        ",",
        "\\",
    ];
    each_text("LDIFS", 300, |dice| {
        let ended = runtime.block_on(export::read(&damaged(&texts, &words, dice)));
        assert!(!matches!(&ended, Err(error) if error.message.contains("defect of Rollcall")), "{ended:?}");
    });
}
