#!/bin/bash
# Expected: `member;range=0-0` is the first slice of a long list, as in every search of a domain controller.
# Fact: in an answer to DirSync with incremental values `member;range=1-1` has those who came, however many, and `member;range=0-0` those
#   who left. A first read has everybody under range=1-1, no `member`, and,
#   at Samba, those who left long ago. And when a member is deleted, no group says that he left.
# Why it matters: code that puts ranges together, written for long lists, makes members of those who left.
# Source: MS-ADTS, LDAP_SERVER_DIRSYNC_OID (LDAP_DIRSYNC_INCREMENTAL_VALUES). Seen with Samba 4.17.12 and ldapsearch 2.5.13.
. "$(dirname "$0")/lib.sh"
packages "${SAMBA[@]}"
samba_start
for u in ada bob cyd; do printf 'dn: CN=%s,CN=Users,%s\nobjectClass: user\nsAMAccountName: %s\n\n' $u "$DOMAIN" $u; done | in_domain ldapadd > /dev/null
group=CN=staff,CN=Users,$DOMAIN
printf 'dn: %s\nobjectClass: group\nsAMAccountName: staff\nmember: CN=ada,CN=Users,%s\nmember: CN=bob,CN=Users,%s\n\n' "$group" "$DOMAIN" "$DOMAIN" | in_domain ldapadd > /dev/null
read_changes() { in_domain ldapsearch -o ldif-wrap=no -E "!dirSync=-2147483648/0${1:+/$1}" -b "$DOMAIN" '(sAMAccountName=staff)' member > "$W/out"; cookie=$(sed -n 's/^# cookie:: //p' "$W/out"); }
members() { sed -n 's/^\(member[^:]*\): CN=\([^,]*\),.*/\1 \2/p' "$W/out" | sort | paste -sd'|'; }
read_changes
fact "the first read" "member;range=1-1 ada|member;range=1-1 bob" "$(members)"
printf 'dn: %s\nchangetype: modify\ndelete: member\nmember: CN=bob,CN=Users,%s\n-\nadd: member\nmember: CN=cyd,CN=Users,%s\n' "$group" "$DOMAIN" "$DOMAIN" | in_domain ldapmodify > /dev/null
read_changes "$cookie"
fact "after bob left and cyd came" "member;range=0-0 bob|member;range=1-1 cyd" "$(members)"
in_domain ldapdelete "CN=ada,CN=Users,$DOMAIN"
read_changes "$cookie"
fact "after ada was deleted" "" "$(members)"
fact "who is in the group then" "CN=cyd,CN=Users,$DOMAIN" "$(value member "$group")"
read_changes
fact "a first read now" "member;range=0-0 bob|member;range=1-1 cyd" "$(members)"
verdict
