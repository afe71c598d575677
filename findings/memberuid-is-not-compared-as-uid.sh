#!/bin/bash
# Expected: `memberUid` of a POSIX group is compared with `uid` as uid is compared with uid: the letter case does not matter.
# Fact: uid ignores the letter case, memberUid does not. A group may list `Ada` and `ada` as two members, and the filter
#   that finds the person by any spelling finds no group by it.
# Why it matters: who joins the two by text loses members; who ignores the case for both joins what the server keeps apart.
# Source: RFC 4519 section 2.39 (uid: caseIgnoreMatch); RFC 2307 section 3 (memberUid: caseExactIA5Match). slapd 2.5.13.
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils
{ company; person ada; printf 'dn: cn=staff,ou=groups,dc=example,dc=test\nobjectClass: posixGroup\ncn: staff\ngidNumber: 100\nmemberUid: Ada\nmemberUid: ada\n\n'; } > "$W/data.ldif"
slapd_start "$W/data.ldif"
found() { as_admin ldapsearch -LLL -b dc=example,dc=test "$1" 1.1 | grep -c '^dn:' || true; }
fact "people found by (uid=ADA)" 1 "$(found '(uid=ADA)')"
fact "groups found by (memberUid=ADA)" 0 "$(found '(memberUid=ADA)')"
fact "the members of the group" "Ada ada" "$(as_admin ldapsearch -LLL -b dc=example,dc=test '(cn=staff)' memberUid | sed -n 's/^memberUid: //p' | xargs)"
printf 'dn: uid=ada,ou=people,dc=example,dc=test\nchangetype: modify\nadd: uid\nuid: Ada\n' > "$W/twice.ldif"
fact "the result of adding the uid Ada to ada (20: there already)" 20 "$(as_admin ldapmodify -f "$W/twice.ldif" > "$W/out" 2>&1; echo $?)"
verdict
