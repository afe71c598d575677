#!/bin/bash
# Expected: who is in a group does not depend on who asks.
# Fact: OpenLDAP's dynlist works the members of a dynamic group out with the rights of the reader. Whoever the reader
#   may not see is not in the list; the answer is success. A list with stored members names him, readable or not. And
#   slapcat has no member at all.
# Why it matters: a reader that loses the right to see one place sees people leave groups that are elsewhere.
# Source: slapo-dynlist(5) (dgIdentity, dgAuthz). Seen with slapd 2.5.13.
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils
{
  company
  person ada; person cyd; person reader 'userPassword: secret\n'
  group stored ada cyd
  printf 'dn: cn=dynamic,ou=groups,dc=example,dc=test\nobjectClass: groupOfURLs\ncn: dynamic\nmemberURL: ldap:///ou=people,dc=example,dc=test??sub?(|(uid=ada)(uid=cyd))\n\n'
} > "$W/data.ldif"
slapd_start "$W/data.ldif" 'moduleload dynlist' 'access to attrs=userPassword by anonymous auth\naccess to dn.base="uid=cyd,ou=people,dc=example,dc=test" by dn.base="uid=reader,ou=people,dc=example,dc=test" none by * read\naccess to * by * read\noverlay dynlist\ndynlist-attrset groupOfURLs memberURL member'
members() { ldapsearch -x -LLL -H "$URL" -D "$1" -w secret -b "cn=$2,ou=groups,dc=example,dc=test" member | sed -n 's/^member: uid=\([^,]*\),.*/\1/p' | sort | xargs; }
reader=uid=reader,ou=people,dc=example,dc=test
fact "the dynamic group for the administrator" "ada cyd" "$(members cn=admin,dc=example,dc=test dynamic)"
fact "the dynamic group for a reader who may not see cyd" "ada" "$(members $reader dynamic)"
fact "the stored group for that reader" "ada cyd" "$(members $reader stored)"
fact "the members that slapcat writes of the dynamic group" "0" "$(/usr/sbin/slapcat -f "$SLAPD_CONF" -a '(cn=dynamic)' | grep -c '^member: ' || true)"
verdict
