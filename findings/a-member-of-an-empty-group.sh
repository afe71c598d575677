#!/bin/bash
# Expected: a group that lists nobody, and that (member=...) does not find for anybody, has no members.
# Fact: OpenDJ's virtual static groups, which give a dynamic group the look of a stored one, by default let `member` be compared but not
#   read: the list is empty, the filter finds no group, and yet a comparison says TRUE and `isMemberOf` of each person
#   names the group. (ds-cfg-allow-retrieving-membership: false.)
# Why it matters: who reads groups sees an empty one and removes everybody; who reads people sees all of them in it.
# Source: OpenDJ, virtual static groups. Seen with OpenDJ 4.6.5.
. "$(dirname "$0")/lib.sh"
packages "${JAVA[@]}"
opendj_start
{
  company
  person ada
  printf 'dn: cn=dynamic,ou=groups,dc=example,dc=test\nobjectClass: groupOfURLs\ncn: dynamic\nmemberURL: ldap:///ou=people,dc=example,dc=test??sub?(uid=ada)\n\n'
  printf 'dn: cn=staff,ou=groups,dc=example,dc=test\nobjectClass: groupOfNames\nobjectClass: ds-virtual-static-group\ncn: staff\nds-target-group-dn: cn=dynamic,ou=groups,dc=example,dc=test\n\n'
} | as_manager ldapadd > /dev/null
ada=uid=ada,ou=people,dc=example,dc=test
fact "the members that the group lists" "" "$(as_manager ldapsearch -LLL -b cn=staff,ou=groups,dc=example,dc=test '(cn=staff)' member | sed -n 's/^member: //p')"
fact "groups found by (member=ada)" "" "$(as_manager ldapsearch -LLL -b ou=groups,dc=example,dc=test "(member=$ada)" 1.1 | sed -n 's/^dn: //p')"
fact "whether ada is a member, compared" TRUE "$(as_manager ldapcompare cn=staff,ou=groups,dc=example,dc=test "member:$ada" 2>&1 || true)"
fact "the groups that ada names" "cn=dynamic cn=staff" "$(as_manager ldapsearch -LLL -b "$ada" '(uid=ada)' isMemberOf | sed -n 's/^isMemberOf: \([^,]*\),.*/\1/p' | sort | xargs)"
verdict
