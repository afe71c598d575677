//! The company that is read, as LDIF for a server: people of eleven attributes.

use std::fmt::Write as _;

use crate::Size;
use crate::slapd::SUFFIX;

/// The values of one person, by attribute.
pub(crate) fn person(at: usize) -> [(&'static str, String); 11] {
    [
        ("uid", format!("u{at:07}")),
        ("cn", format!("Person {at}")),
        ("sn", format!("Family{at}")),
        ("givenName", format!("Given{at}")),
        ("mail", format!("u{at:07}@example.test")),
        ("title", format!("Title {}", at % 50)),
        ("ou", format!("Unit {}", at % 200)),
        ("employeeNumber", format!("{at}")),
        ("employeeType", if at.is_multiple_of(9) { "contractor" } else { "employee" }.to_owned()),
        ("telephoneNumber", format!("+1 555 {at:07}")),
        ("l", format!("Town {}", at % 30)),
    ]
}

/// Which person a group's member is: different ones within a group.
pub(crate) fn member(size: Size, group: usize, at: usize) -> usize {
    // 31 has no factor in common with the number of people.
    (group * 7919 + at * 31) % size.people
}

/// How many members the group has.
pub(crate) fn members(size: Size, group: usize) -> usize {
    if group == 0 { size.largest } else { size.members }
}

pub(crate) fn ldif(size: Size) -> Result<String, std::fmt::Error> {
    let mut ldif = format!(
        "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n\
         dn: ou=people,{SUFFIX}\nobjectClass: organizationalUnit\nou: people\n\n\
         dn: ou=groups,{SUFFIX}\nobjectClass: organizationalUnit\nou: groups\n\n"
    );
    for at in 0..size.people {
        writeln!(ldif, "dn: uid=u{at:07},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson")?;
        for (attribute, value) in person(at) {
            writeln!(ldif, "{attribute}: {value}")?;
        }
        ldif.push('\n');
    }
    for group in 0..size.groups {
        writeln!(ldif, "dn: cn=g{group:06},ou=groups,{SUFFIX}\nobjectClass: groupOfNames\ncn: g{group:06}")?;
        for at in 0..members(size, group) {
            writeln!(ldif, "member: uid=u{:07},ou=people,{SUFFIX}", member(size, group, at))?;
        }
        ldif.push('\n');
    }
    Ok(ldif)
}
