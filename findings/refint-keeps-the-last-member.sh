#!/bin/bash
# Expected: with OpenLDAP's refint overlay on `member`, nobody who was deleted is still in a group.
# Fact: from a group whose only member he was he is not taken out. The class asks for one member at least, so the
#   overlay's change is refused, and nobody is told: the deletion itself answers success. Only with `refint_nothing`
#   set does the overlay put a stand-in there.
# Why it matters: the list names an entry that does not exist. Whoever gets the same DN later is a member at once,
#   and a reader who takes each DN for a person counts a ghost.
# Source: slapo-refint(5), refint_nothing; RFC 4519 section 3.5 (groupOfNames: member is a must). Seen with slapd 2.5.13.
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils
{ company; person ada; person bob; group many ada bob; group one ada; } > "$W/data.ldif"
slapd_start "$W/data.ldif" 'moduleload refint' 'overlay refint\nrefint_attributes member'
members() { as_admin ldapsearch -LLL -b "cn=$1,ou=groups,dc=example,dc=test" member | sed -n 's/^member: uid=\([^,]*\),.*/\1/p' | xargs; }
as_admin ldapdelete uid=ada,ou=people,dc=example,dc=test && deleted="success"
told() { [ "$(members many)" = bob ]; }
until_true 10 told
fact "the answer to the deletion" success "$deleted"
fact "who is left in the group of two" bob "$(members many)"
fact "who is left in the group of one" ada "$(members one)"
fact "whether there is an entry of that name" "" "$(as_admin ldapsearch -LLL -b ou=people,dc=example,dc=test '(uid=ada)' 1.1)"
verdict
