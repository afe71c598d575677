#!/bin/bash
# Expected: what ldapsearch writes is LDIF, whatever the names of the entries are.
# Fact: above each entry it writes its name as a comment, read for people; a line break in the name is written as one. Every deleted entry
#   of a domain controller has one in its name (`\0ADEL:` and its id), so the second half of the comment stands at the beginning of a line
#   and looks like an attribute `DEL` of a record without a DN. With -LL there are no comments, and no end to see either.
# Why it matters: the export that is to show who was deleted is refused by strict readers at the first of them; others have an
#   entry more, or stop there, before all who come later.
# Source: RFC 2849 (a comment ends with its line); MS-ADTS (names of deleted objects). Seen with ldap-utils 2.5.13 and Samba 4.17.12.
. "$(dirname "$0")/lib.sh"
packages "${SAMBA[@]}" python3-ldap
samba_start
printf 'dn: CN=bob,CN=Users,%s\nobjectClass: user\nsAMAccountName: bob\n\n' "$DOMAIN" | in_domain ldapadd > /dev/null
in_domain ldapdelete "CN=bob,CN=Users,$DOMAIN"
in_domain ldapsearch -L -E '!1.2.840.113556.1.4.417' -b "CN=Deleted Objects,$DOMAIN" '(sAMAccountName=bob)' sAMAccountName > "$W/out" 2> /dev/null
fact "the comment above the entry, as lines" "# bob|DEL:ID, Deleted Objects" "$(grep -A1 '^# bob' "$W/out" | sed "s/DEL:[0-9a-f-]*/DEL:ID/; s/, ad.*//" | paste -sd"|")"
fact "the DN below it, in which the line break is escaped" "dn: CN=bob\\0ADEL:ID,CN=Deleted Objects,$DOMAIN" "$(sed -e ':a; N; $!ba; s/\n //g' "$W/out" | grep '^dn:' | sed 's/DEL:[0-9a-f-]*/DEL:ID/')"
fact "python-ldap" "First line of record does not start with \"dn:\": 'DEL'" "$(/usr/bin/python3 -c '
import ldif, sys
try: ldif.LDIFRecordList(open(sys.argv[1], "rb")).parse()
except ValueError as e: print(str(e).split(": ", 1)[1])' "$W/out")"
verdict
