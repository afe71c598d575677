#!/bin/bash
# Expected: `entryUUID` tells entries apart, so no server has two entries with one.
# Fact: slapadd keeps the entryUUID that the LDIF has and does not look whether another entry has it. A part of the tree that
#   was put back from a backup beside itself has every id twice, and the server serves both.
# Why it matters: who knows people by entryUUID takes the second for the first, and may swap their accounts.
# Source: RFC 4530 section 2.1; slapadd(8). Seen with slapd 2.5.13.
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils
{ company; person ada 'entryUUID: 11111111-2222-4333-8444-555555555555\n'; person bob 'entryUUID: 11111111-2222-4333-8444-555555555555\n'; } > "$W/data.ldif"
slapd_start "$W/data.ldif" '' 'index entryUUID eq'
fact "who has the one id" "ada bob" "$(as_admin ldapsearch -LLL -b dc=example,dc=test '(entryUUID=11111111-2222-4333-8444-555555555555)' uid | sed -n 's/^uid: //p' | xargs)"
printf 'dn: uid=cyd,ou=people,dc=example,dc=test\nobjectClass: inetOrgPerson\ncn: c\nsn: c\nentryUUID: 11111111-2222-4333-8444-555555555555\n' > "$W/cyd.ldif"
fact "over the protocol it may not be given at all" "19" "$(as_admin ldapadd -f "$W/cyd.ldif" > "$W/out" 2>&1; echo $?)"
verdict
