#!/bin/bash
# Expected: with OpenLDAP's memberof overlay, `memberOf` of a person and `member` of a group say the same.
# Fact: who was listed before having an entry never gets `memberOf`, though the group lists him. And what slapadd
#   loads has none at all. It stays so until the list is written again.
# Why it matters: (memberOf=...) as a filter for who may log in leaves them out, without any error.
# Source: slapo-memberof(5), memberof-dangling (default: ignore). Seen with slapd 2.5.13.
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils
{ company; person ada; group loaded ada; } > "$W/data.ldif"
slapd_start "$W/data.ldif" 'moduleload memberof' 'overlay memberof'
group early late | as_admin ldapadd > /dev/null
person late | as_admin ldapadd > /dev/null
group after late | as_admin ldapadd > /dev/null
groups_of() { as_admin ldapsearch -LLL -b ou=people,dc=example,dc=test "(uid=$1)" memberOf | sed -n 's/^memberOf: cn=\([^,]*\),.*/\1/p' | xargs; }
listing() { as_admin ldapsearch -LLL -b ou=groups,dc=example,dc=test "(member=uid=$1,ou=people,dc=example,dc=test)" cn | sed -n 's/^cn: //p' | sort | xargs; }
fact "the groups that list who came later" "after early" "$(listing late)"
fact "his memberOf" after "$(groups_of late)"
fact "the groups that list who was loaded by slapadd" loaded "$(listing ada)"
fact "her memberOf" "" "$(groups_of ada)"
verdict
