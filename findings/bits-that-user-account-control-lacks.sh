#!/bin/bash
# Expected: `userAccountControl` has the bits for "locked out" (16) and "password expired" (8388608) when it is so.
# Fact: the second is never there, and the first is said not to be. They are in msDS-User-Account-Control-Computed, which is made at each read and cannot be
#   filtered by: the same bit filter finds nobody. So whoever must change the password looks like everybody else.
# Why it matters: a rule over bit 16 or 8388608 of userAccountControl disables nobody, ever, and says nothing.
# Source: MS-ADTS 2.2.16 and 3.1.1.4.5.17. Seen with Samba 4.17.12.
. "$(dirname "$0")/lib.sh"
packages "${SAMBA[@]}"
samba_start
user=CN=ada,CN=Users,$DOMAIN
printf 'dn: %s\nobjectClass: user\nsAMAccountName: ada\nuserAccountControl: 544\npwdLastSet: 0\n\n' "$user" | in_domain ldapadd > /dev/null
fact "userAccountControl of who must change the password" 544 "$(value userAccountControl "$user")"
fact "the computed bits" 8388608 "$(value msDS-User-Account-Control-Computed "$user")"
found() { in_domain ldapsearch -LLL -b "CN=Users,$DOMAIN" "(&(sAMAccountName=ada)($1:1.2.840.113556.1.4.803:=8388608))" 1.1 2> /dev/null | grep -c '^dn' || true; }
fact "found by the bit in userAccountControl, in the computed one" "0 0" "$(found userAccountControl) $(found msDS-User-Account-Control-Computed)"
verdict
