#!/bin/bash
# Expected: a content synchronization without a cookie brings every entry that a search with the same filter brings.
# Fact: ApacheDS brings those alone that changed no later than its contextCSN, and contextCSN goes back when an entry is deleted: to the
#   time of some older change. All that came after it is left out, with success.
# Why it matters: a first read by synchronization misses people, and takes what it has for everything.
# Source: RFC 4533 section 3.3. Seen with ApacheDS 2.0.0.AM27 and its SyncReplRequestHandler.
. "$(dirname "$0")/lib.sh"
packages "${JAVA[@]}"
apacheds_start
{ company; for n in $(seq 10 29); do person "u$n"; done; } | as_system ldapadd > /dev/null
base=dc=example,dc=test
csn() { as_system ldapsearch -LLL -s base -b "$base" contextCSN | sed -n 's/^contextCSN: //p'; }
all() { as_system ldapsearch -LLL -b "$base" '(objectClass=*)' dc | grep -c '^dn:'; }
sync() { as_system ldapsearch -b "$base" -E '!sync=ro' '(objectClass=*)' > "$W/sync" 2>&1 || true; echo "$(grep -c '^dn:' "$W/sync") entries, result $(sed -n 's/^result: \([0-9]*\) .*/\1/p' "$W/sync")"; }
before=$(csn)
fact "what a synchronization brings before anything was deleted" "$(all) entries, result 0" "$(sync)"
printf '%s\n' "dn: uid=u20,ou=people,$base" 'changetype: delete' | as_system ldapmodify > /dev/null
after=$(csn)
fact "whether contextCSN went back with the deletion" yes "$([[ $after < $before ]] && echo yes || echo "no: $before, $after")"
whole=$(all)
some=$(sync)
fact "entries that a search brings then" 22 "$whole"
fact "whether a synchronization brings fewer, with success" yes "$([ "${some%% *}" -lt "$whole" ] && [ "${some##* }" = 0 ] && echo yes || echo "no: $some")"
verdict
