#!/bin/bash
# Expected: what a size limit of 10 does to a search in pages is the same everywhere: it counts each page, or all of them together.
# Fact: 389 and OpenDJ count each page, and end one of 10 with sizeLimitExceeded, though exactly 10 came: only pages of 9 reach the end.
#   UnboundID counts each page and lets one of 10 pass. ApacheDS counts all pages together, so no page helps.
# Why it matters: the advice to "use pages of the size of the limit" fails on two of four, and "use pages" on one.
# Source: RFC 2696 section 4 leaves it open. Seen with 389-ds-base 2.3.1, OpenDJ 4.6.5, UnboundID 7.0.2, ApacheDS 2.0.0.AM27.
. "$(dirname "$0")/lib.sh"
packages "${JAVA[@]}" 389-ds-base
reader=cn=reader,dc=example,dc=test
aci() { printf '%s\n' 'dn: dc=example,dc=test' 'changetype: modify' 'add: aci' "aci: (targetattr=\"*\")(version 3.0; acl \"reader\"; allow (read, search, compare) userdn=\"ldap:///$reader\";)" | as_manager ldapmodify > /dev/null; }
load() { { company; for n in $(seq 10 29); do person "u$n"; done; printf '%s\n' "dn: $reader" 'objectClass: person' 'cn: reader' 'sn: reader' 'userPassword: readersecret'; } | "$1" ldapadd > /dev/null; }
pages() { ldapsearch -x -H "$URL" -D "$reader" -w readersecret -b ou=people,dc=example,dc=test -E "pr=$1/noprompt" '(uid=u*)' uid > "$W/pages" 2>&1 || true; echo "$(grep -c '^dn:' "$W/pages") of 20, result $(sed -n 's/^result: \([0-9]*\) .*/\1/p' "$W/pages" | tail -1)"; }
dirsrv_start
load as_manager
aci
printf '%s\n' 'dn: cn=config' 'changetype: modify' 'replace: nsslapd-sizelimit' 'nsslapd-sizelimit: 10' | as_manager ldapmodify > /dev/null
fact "389 in pages of 10, of 9" "10 of 20, result 4; 20 of 20, result 0" "$(pages 10); $(pages 9)"
opendj_start
load as_manager
aci
printf '%s\n' "dn: $reader" 'changetype: modify' 'add: ds-rlim-size-limit' 'ds-rlim-size-limit: 10' | as_manager ldapmodify > /dev/null
fact "OpenDJ in pages of 10, of 9" "10 of 20, result 4; 20 of 20, result 0" "$(pages 10); $(pages 9)"
unboundid_start 10
load as_manager
fact "UnboundID in pages of 10, of 9" "20 of 20, result 0; 20 of 20, result 0" "$(pages 10); $(pages 9)"
apacheds_start 10
load as_system
fact "ApacheDS in pages of 10, of 9" "10 of 20, result 4; 10 of 20, result 4" "$(pages 10); $(pages 9)"
verdict
