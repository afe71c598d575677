#!/bin/bash
# Expected: a user that is added over LDAP with a class and a name is an ordinary user of the domain.
# Fact: without userAccountControl he gets 546: disabled, and needing no password. Without sAMAccountName he, or a group, gets a
#   random one that begins with a dollar sign. Active Directory documents the same.
# Why it matters: tools that add first and enable afterwards make each newcomer a leaver for a moment; a sync that reads
#   just then sees him disabled, and a login name that is none.
# Source: MS-SAMR, triggers for originating updates (objectClass). Seen with Samba 4.17.12.
. "$(dirname "$0")/lib.sh"
packages "${SAMBA[@]}"
samba_start
printf 'dn: CN=ada,CN=Users,%s\nobjectClass: user\n\ndn: CN=staff,CN=Users,%s\nobjectClass: group\n\n' "$DOMAIN" "$DOMAIN" | in_domain ldapadd > /dev/null
fact "userAccountControl of the user (2: disabled, 32: no password, 512: normal)" 546 "$(value userAccountControl "CN=ada,CN=Users,$DOMAIN")"
for one in ada staff; do
  fact "the form of the name of $one" '$HEX-HEX' "$(value sAMAccountName "CN=$one,CN=Users,$DOMAIN" | sed 's/[0-9A-F]\{1,\}/HEX/g')"
done
verdict
