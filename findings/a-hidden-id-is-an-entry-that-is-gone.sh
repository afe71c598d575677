#!/bin/bash
# Expected: a search for an entry by its id that succeeds and finds nothing proves that the entry is gone.
# Fact: where an access rule hides entryUUID of one entry from the account that reads, slapd answers success and no entry
#   to (entryUUID=...). The entry is there: a search at its DN shows it, without the id. Its group lists it as well.
# Why it matters: who looks a missing person up by id before disabling them gets the same answer for somebody who left
#   and for somebody whose id was hidden by a rule. The last known DN has to be asked too.
# Source: slapd.access(5) (a filter on what may not be searched is undefined); RFC 4511 section 4.5.1.7 (undefined does not match).
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils
{
  company; person ada; person bob
  printf 'dn: cn=staff,ou=people,dc=example,dc=test\nobjectClass: groupOfNames\ncn: staff\nmember: uid=ada,ou=people,dc=example,dc=test\n\n'
} > "$W/data.ldif"
ADA=uid=ada,ou=people,dc=example,dc=test BOB=uid=bob,ou=people,dc=example,dc=test
slapd_start "$W/data.ldif" '' "access to dn.base=\"$ADA\" attrs=entryUUID by * none\naccess to * by * read"
id_of() { as_admin ldapsearch -LLL -s base -b "$1" entryUUID | sed -n 's/^entryUUID: //p'; }
by_id() { ldapsearch -x -H "$URL" -LLL -b dc=example,dc=test "(entryUUID=$1)" uid | sed -n 's/^uid: //p'; echo "result ${PIPESTATUS[0]}"; }
ADA_ID=$(id_of "$ADA") BOB_ID=$(id_of "$BOB")
fact "bob, by his id" "bob|result 0" "$(by_id "$BOB_ID" | paste -sd'|')"
fact "ada, by her id: success, and nobody" "result 0" "$(by_id "$ADA_ID" | paste -sd'|')"
as_admin ldapdelete "$BOB"
fact "bob, once he is deleted: the same answer" "result 0" "$(by_id "$BOB_ID" | paste -sd'|')"
fact "ada, at her DN: there, without the id" "uid: ada" "$(ldapsearch -x -H "$URL" -LLL -s base -b "$ADA" uid entryUUID | grep -v '^dn:' | grep .)"
fact "her group" "member: $ADA" "$(ldapsearch -x -H "$URL" -LLL -b dc=example,dc=test '(cn=staff)' member | grep '^member:')"
verdict
