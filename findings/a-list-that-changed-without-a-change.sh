#!/bin/bash
# Expected: a group whose `member` reads otherwise than before has a higher uSNChanged.
# Fact: when a member is renamed, moved or deleted, the list of each of his groups reads otherwise, while uSNChanged, whenChanged
#   and the group's metadata stay: links are kept by id, and their text is made at each read.
# Why it matters: a reader that asks for groups changed since the last read gets none, and keeps the old name in his copy; and who
#   was deleted has left all his groups without one of them saying so.
# Source: MS-ADTS 3.1.1.1.6 (references follow the object). Seen with Samba 4.17.12.
. "$(dirname "$0")/lib.sh"
packages "${SAMBA[@]}"
samba_start
group=CN=staff,CN=Users,$DOMAIN
for u in ada bob; do printf 'dn: CN=%s,CN=Users,%s\nobjectClass: user\nsAMAccountName: %s\n\n' $u "$DOMAIN" $u; done | in_domain ldapadd > /dev/null
printf 'dn: %s\nobjectClass: group\nsAMAccountName: staff\nmember: CN=ada,CN=Users,%s\nmember: CN=bob,CN=Users,%s\n\n' "$group" "$DOMAIN" "$DOMAIN" | in_domain ldapadd > /dev/null
stamps() { echo "$(value uSNChanged "$group") $(value whenChanged "$group")"; }
short() { value member "$group" | sed "s/,CN=Users,$DOMAIN//g"; }
before=$(stamps)
highest=$(in_domain ldapsearch -LLL -s base -b '' highestCommittedUSN | sed -n 's/^highestCommittedUSN: //p')
sleep 1.1 # whenChanged counts seconds
in_domain ldapmodrdn -r "CN=ada,CN=Users,$DOMAIN" "CN=Ada Lovelace" > /dev/null
fact "the list after a rename" "CN=Ada Lovelace CN=bob" "$(short)"
in_domain ldapdelete "CN=bob,CN=Users,$DOMAIN"
fact "the list after a deletion" "CN=Ada Lovelace" "$(short)"
fact "groups changed since by uSNChanged" "" "$(in_domain ldapsearch -LLL -E '!1.2.840.113556.1.4.1339' -b "$DOMAIN" "(&(objectClass=group)(uSNChanged>=$((highest + 1))))" 1.1 2>/dev/null | sed -n 's/^dn: //p')"
fact "whether the group's stamps changed" no "$([ "$(stamps)" = "$before" ] && echo no || echo yes)"
verdict
