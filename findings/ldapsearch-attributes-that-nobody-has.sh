#!/bin/bash
# Expected: each line of an export by `ldapsearch -LLL` is something that the entry has.
# Fact: with -u every entry has a line `ufn:`, in LDIF no different from an attribute, made from the DN. With -A every
#   attribute stands there with an empty value, and the file still is LDIF that any reader takes.
# Why it matters: an export that somebody made with -A to look at it says of everybody: no mail, no name, nobody in any group.
# Source: ldapsearch(1), -u and -A; RFC 2849 (an empty value is a value). Seen with ldap-utils 2.5.13.
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils
{ company; person ada; } > "$W/data.ldif"
slapd_start "$W/data.ldif"
fact "the entry with -u" "dn: uid=ada,ou=people,dc=example,dc=test|ufn: ada, people, example.test|uid: ada|" \
  "$(as_admin ldapsearch -LLL -u -b dc=example,dc=test '(uid=ada)' uid | grep . | tr '\n' '|')"
fact "the entry with -A" "dn: uid=ada,ou=people,dc=example,dc=test|objectClass:|uid:|cn:|sn:|mail:|" \
  "$(as_admin ldapsearch -LLL -A -b dc=example,dc=test '(uid=ada)' | grep . | tr '\n' '|')"
verdict
