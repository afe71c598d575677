#!/bin/bash
# Expected: a content synchronization that goes on from a cookie tells of every change since, or refuses the cookie.
# Fact: 389 Directory Server answers success, sends nothing and moves its cookie past the changes, unless the Retro Changelog keeps
#   nsuniqueid:targetUniqueId. When that is set later, changes from before it are still left out, with success.
# Why it matters: who follows the changes misses everything, and nothing ever says so: the cookie is beyond it.
# Source: RFC 4533 section 3.3. Seen with 389-ds-base 2.3.1, as it is when both plugins are switched on.
. "$(dirname "$0")/lib.sh"
packages 389-ds-base ldap-utils
dirsrv_start
config() { printf '%s\n' "dn: cn=$1,cn=plugins,cn=config" 'changetype: modify' "replace: $2" "$2: $3" | as_manager ldapmodify > /dev/null; }
again() { dirsrv_stop; dirsrv_run; }
config 'Content Synchronization' nsslapd-pluginEnabled on
config 'Retro Changelog Plugin' nsslapd-pluginEnabled on
again
{ company; for name in ada bob cid dora; do person "$name"; done; } | as_manager ldapadd > /dev/null
people=ou=people,dc=example,dc=test
sync() { as_manager ldapsearch -b dc=example,dc=test -E "!sync=ro/$1" '(objectClass=*)' > "$W/sync" 2>&1 || true; echo "result $(sed -n 's/^result: \([0-9]*\) .*/\1/p' "$W/sync"), $(grep -c '^dn:' "$W/sync" || true) entries, to $(sed -n 's/^# cookie: .*#//p' "$W/sync" | tail -1)"; }
as_manager ldapsearch -b dc=example,dc=test -E '!sync=ro' '(objectClass=*)' 1.1 > "$W/first"
cookie=$(sed -n 's/^# cookie: //p' "$W/first" | tail -1)
before=${cookie##*#}
changes() { printf '%s\n' "dn: uid=$1,$people" 'changetype: modify' 'replace: title' 'title: boss' '' "dn: uid=$2,$people" 'changetype: modify' 'replace: title' 'title: boss' '' | as_manager ldapmodify > /dev/null; }
changes ada bob
fact "two changes, told by the cookie of before" "result 0, 0 entries, to $((before + 2))" "$(sync "$cookie")"
config 'Retro Changelog Plugin' nsslapd-attribute nsuniqueid:targetUniqueId
again
changes cid dora
fact "two more with the setting, by the same cookie, which is before all four" "result 0, 2 entries, to $((before + 4))" "$(sync "$cookie")"
verdict
