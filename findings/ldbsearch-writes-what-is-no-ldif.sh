#!/bin/bash
# Expected: `ldbsearch`, whose output calls itself records with `dn:` lines, writes LDIF as ldapsearch does.
# Fact: a referral is a record of its own without a DN (`ref: ldap://...`), and is counted among the "returned records". A DN with
#   other than ASCII letters stands there as it is, while the same letters in a value are base64. objectGUID and objectSid are
#   text; ldapsearch writes their octets.
# Why it matters: strict readers refuse the file at the referral; the number of records is not the number of entries; and the two
#   exports of one domain have two different ids for everybody.
# Source: RFC 2849 (a record begins with dn:; a DN that is no safe string is base64). Seen with ldb-tools 2.6.2 of Samba 4.17.12.
. "$(dirname "$0")/lib.sh"
packages "${SAMBA[@]}"
samba_start
printf 'dn: CN=Bärbel,CN=Users,%s\nobjectClass: user\nsAMAccountName: bea\n\n' "$DOMAIN" | in_domain ldapadd > /dev/null
ldbsearch --configfile="$SMB_CONF" -H "$SAM" -b "$DOMAIN" '(sAMAccountName=bea)' name objectGUID > "$W/ldb.txt"
in_domain ldapsearch -LLL -b "$DOMAIN" '(sAMAccountName=bea)' name objectGUID > "$W/ldap.txt"
fact "ldbsearch: the DN and the name" "dn: CN=Bärbel,CN=Users,$DOMAIN name:: QsOkcmJlbA==" "$(grep -E '^(dn|name):' "$W/ldb.txt" | xargs)"
fact "ldapsearch: the kind of the DN" "dn::" "$(sed -n 's/^\(dn::*\).*/\1/p' "$W/ldap.txt")"
fact "the form of objectGUID, of both" "objectGUID: 8-4-4-4-12|objectGUID:: 24 of base64" \
  "$(sed -n 's/^objectGUID: [0-9a-f]\{8\}-[0-9a-f]\{4\}-[0-9a-f]\{4\}-[0-9a-f]\{4\}-[0-9a-f]\{12\}$/objectGUID: 8-4-4-4-12/p' "$W/ldb.txt")|$(sed -n 's/^objectGUID:: [A-Za-z0-9+/=]\{24\}$/objectGUID:: 24 of base64/p' "$W/ldap.txt")"
fact "records that begin with ref:" "1" "$(awk 'BEGIN { RS = "" } { sub(/^(#[^\n]*\n)+/, ""); if (/^ref:/) n++ } END { print n + 0 }' "$W/ldb.txt")"
fact "the counts at the end" "# returned 2 records # 1 entries # 1 referrals" "$(grep -E '^# (returned|[0-9]+ (entries|referrals))' "$W/ldb.txt" | xargs -d '\n')"
verdict
