//! Companies as LDIF.

use std::fmt::Write as _;

use super::slapd::SUFFIX;

/// The tree that people and groups hang in.
pub(crate) fn tree() -> String {
    format!(
        "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n\
         dn: ou=people,{SUFFIX}\nobjectClass: organizationalUnit\nou: people\n\n\
         dn: ou=groups,{SUFFIX}\nobjectClass: organizationalUnit\nou: groups\n\n"
    )
}

/// `people` people, and `groups` groups of `size` of them each; the first group has `largest`.
pub(crate) fn large(people: usize, groups: usize, size: usize, largest: usize) -> String {
    let mut ldif = tree();
    for at in 0..people {
        write!(
            ldif,
            "dn: uid=u{at:06},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: u{at:06}\ncn: Person {at}\n\
             sn: Family{at}\ngivenName: Given{at}\nmail: u{at:06}@example.test\ntitle: Title {}\nou: Unit {}\n\n",
            at % 50,
            at % 200
        )
        .unwrap();
    }
    for group in 0..groups {
        write!(ldif, "dn: cn=g{group:05},ou=groups,{SUFFIX}\nobjectClass: groupOfNames\ncn: g{group:05}\n")
            .unwrap();
        let members = if group == 0 { largest } else { size };
        for at in 0..members {
            let member = (group * 7919 + at * 31) % people;
            writeln!(ldif, "member: uid=u{member:06},ou=people,{SUFFIX}").unwrap();
        }
        ldif.push('\n');
    }
    ldif
}

/// People and groups chosen to hurt: escapes, several values in one RDN, folded and base64 lines, mixed
/// case, a cycle, dangling members, one address twice, a reference to another server.
pub(crate) fn hurtful() -> String {
    let people = format!("ou=people,{SUFFIX}");
    let groups = format!("ou=groups,{SUFFIX}");
    let mut ldif = tree();
    let mut person = |rdn: &str, rest: &str| {
        write!(ldif, "dn: {rdn},{people}\nobjectClass: inetOrgPerson\n{rest}\n").unwrap();
    };
    person(
        r#"cn=Lovelace\, Ada \"Countess\""#,
        "cn: Lovelace, Ada \"Countess\"\nsn: Lovelace\nuid: ada\nmail: ada@example.test\n",
    );
    person(
        r"cn=Back\\slash\+plus\;semi",
        "cn: Back\\slash+plus;semi\nsn: Signs\nuid: signs\nmail: signs@example.test\n",
    );
    person(r"cn=\ Spaces\ ", "cn:: IFNwYWNlcyA=\nsn: Spaces\nuid: spaces\nmail: spaces@example.test\n");
    person(r"cn=\#Hash", "cn: #Hash\nsn: Hash\nuid: hash\nmail: hash@example.test\n");
    person("cn=Bob+uid=bob", "cn: Bob\nuid: bob\nsn: Builder\nmail: Bob@Example.test\n");
    // Zoë Østergård, in base64; a description that is folded.
    person(
        "uid=zoe",
        "uid: zoe\ncn:: Wm/DqyDDmHN0ZXJnw6VyZA==\nsn:: w5hzdGVyZ8OlcmQ=\ngivenName:: Wm/Dqw==\nmail: zoe@example.\n test\n\
         description: a long line that is fol\n ded in the middle of a word\n",
    );
    person("uid=nomail", "uid: nomail\ncn: No Mail\nsn: Mail\n");
    person("uid=twin1", "uid: twin1\ncn: Twin One\nsn: One\nmail: twin@example.test\n");
    person("uid=twin2", "uid: twin2\ncn: Twin Two\nsn: Two\nmail: TWIN@example.test\n");
    person(
        "uid=several",
        "uid: several\ncn: Several Addresses\nsn: Several\nmail: several@example.test\nmail: other@example.test\n",
    );
    for at in 0..12 {
        person(
            &format!("uid=plain{at}"),
            &format!("uid: plain{at}\ncn: Plain {at}\nsn: Plain\nmail: plain{at}@example.test\n"),
        );
    }
    let mut group = |name: &str, class: &str, rest: &str| {
        write!(ldif, "dn: cn={name},{groups}\nobjectClass: {class}\ncn: {name}\n{rest}\n").unwrap();
    };
    group(
        "escapes",
        "groupOfNames",
        &format!(
            "member: CN=lovelace\\2C ada \\22COUNTESS\\22,OU=People,{}\nmember: cn=Back\\5Cslash\\2Bplus\\3Bsemi,{people}\n\
             member: cn=\\20Spaces\\20,{people}\nmember: cn=\\23hash,{people}\nmember: UID=bob+CN=BOB, {people}\n",
            SUFFIX.to_uppercase()
        ),
    );
    group(
        "mixed",
        "groupOfNames",
        &format!("member: UID=Plain1 , OU = People,DC=Example,dc=TEST\nmember: uid=zoe,{people}\n"),
    );
    group("cycle-a", "groupOfNames", &format!("member: cn=cycle-b,{groups}\nmember: uid=plain2,{people}\n"));
    group("cycle-b", "groupOfNames", &format!("member: cn=Cycle-A,{groups}\nmember: uid=plain3,{people}\n"));
    group("outer", "groupOfNames", &format!("member: cn=cycle-a,{groups}\nmember: cn=unique,{groups}\n"));
    group(
        "dangling",
        "groupOfNames",
        &format!("member: uid=nobody,{people}\nmember: uid=plain4,{people}\nmember: cn=elsewhere,dc=other\n"),
    );
    group(
        "twins",
        "groupOfNames",
        &format!("member: uid=twin1,{people}\nmember: uid=twin2,{people}\nmember: uid=nomail,{people}\n"),
    );
    group(
        "unique",
        "groupOfUniqueNames",
        &format!("uniqueMember: uid=plain5,{people}\nuniqueMember: uid=plain6,{people}#'0101'B\n"),
    );
    group("posix", "posixGroup", "gidNumber: 100\nmemberUid: plain7\nmemberUid: PLAIN8\nmemberUid: nobody\n");
    group("alone", "groupOfNames", &format!("member: cn=alone,{groups}\n"));
    write!(ldif, "dn: ou=far,{SUFFIX}\nobjectClass: referral\nobjectClass: extensibleObject\nou: far\nref: ldap://far.example.test/ou=far,{SUFFIX}\n\n").unwrap();
    ldif
}
