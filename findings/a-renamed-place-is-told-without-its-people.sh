#!/bin/bash
# Expected: when an organizational unit is renamed, a change feed tells of everybody in it, since the DN of each is another.
# Fact: syncrepl (RFC 4533) tells of the unit alone. The people's entryCSN and modifyTimestamp stay, so a search for what
#   was changed since yesterday finds nobody either.
# Why it matters: a reader who keeps DNs, or looks members up by them, has names that no longer exist, and his filter
#   by place goes on with the old one.
# Source: RFC 4533 section 3; RFC 4511 section 4.9 (the new DN of the subordinates follows). Seen with slapd 2.5.13.
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils
{ company; person ada; person bob; } > "$W/data.ldif"
slapd_start "$W/data.ldif" 'moduleload syncprov' 'overlay syncprov\nsyncprov-sessionlog 1000'
state() { as_admin ldapsearch -LLL -b dc=example,dc=test '(objectClass=person)' uid entryCSN modifyTimestamp | sed -n '/^dn:/d; /./p' | sort; }
before=$(state)
cookie=$(as_admin ldapsearch -E '!sync=ro' -b dc=example,dc=test 1.1 | sed -n 's/^# cookie: //p' | tail -1)
as_admin ldapmodrdn -r ou=people,dc=example,dc=test ou=staff
fact "what the feed tells" "dn: ou=staff,dc=example,dc=test" "$(as_admin ldapsearch -LLL -E "!sync=ro/$cookie" -b dc=example,dc=test 1.1 | grep '^dn:')"
fact "where the people are" "uid=ada,ou=staff,dc=example,dc=test uid=bob,ou=staff,dc=example,dc=test" "$(as_admin ldapsearch -LLL -b dc=example,dc=test '(objectClass=person)' 1.1 | sed -n 's/^dn: //p' | sort | xargs)"
fact "whether their time stamps changed" "no" "$([ "$(state)" = "$before" ] && echo no || echo yes)"
verdict
