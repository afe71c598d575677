#!/bin/bash
# Expected: a proxy that cannot reach one of its servers answers a search with an error.
# Fact: slapd-meta by default (`onerr continue`) leaves out the server that is down and ends the search with success; a search
#   for the very entry there says that there is no such object. With `onerr stop` it is result 52 (unavailable).
# Why it matters: to a reader everybody of that server was deleted, and looking each of them up agrees.
# Source: slapd-meta(5), onerr. Seen with slapd 2.5.13.
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils
{ company; person ada; } > "$W/data.ldif"
slapd_start "$W/data.ldif"
behind=$URL
proxy() { # proxy [lines]: a slapd-meta over the server and one that is down
  local dead; dead=$(free_port); URL=ldap://127.0.0.1:$(free_port)
  local conf; conf=$(mktemp "$W/meta.XXXX")
  printf 'include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\ninclude /etc/ldap/schema/inetorgperson.schema\nmodulepath /usr/lib/ldap\nmoduleload back_ldap\nmoduleload back_meta\nloglevel 0\ndatabase meta\nsuffix dc=example,dc=test\nrootdn cn=admin,dc=example,dc=test\nrootpw secret\nnetwork-timeout 2\n%b\nuri %s/dc=example,dc=test\nuri ldap://127.0.0.1:%s/ou=abroad,dc=example,dc=test\n' "${1:-}" "$behind" "$dead" > "$conf"
  /usr/sbin/slapd -d 0 -f "$conf" -h "$URL" > "$conf.log" 2>&1 & PIDS+=($!)
  until_true 20 ldapsearch -x -H "$URL" -s base -b ''
}
result() { { ldapsearch -x -H "$URL" "$@" 1.1 || true; } 2>&1 | sed -n 's/^result: //p'; }
proxy
fact "a search of all, one server down" "0 Success" "$(result -b dc=example,dc=test '(objectClass=person)')"
fact "a search of one who is there" "32 No such object" "$(result -b uid=eve,ou=abroad,dc=example,dc=test -s base)"
proxy 'onerr stop'
fact "a search of all with onerr stop" "52 Server is unavailable" "$(result -b dc=example,dc=test '(objectClass=person)')"
verdict
