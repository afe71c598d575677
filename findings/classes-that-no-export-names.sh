#!/bin/bash
# Expected: an entry that (objectClass=person) finds has the value `person` in objectClass.
# Fact: OpenLDAP stores the classes that were given and works the superior ones out when it compares. Entries made
#   with `inetOrgPerson` alone are found as person and as top, and neither ldapsearch nor slapcat shows these. (A Samba
#   domain controller writes them into the entry.)
# Why it matters: the filter (objectClass=person) does not find in an export who is found by the same filter live.
# Source: RFC 4512 section 2.4.1 and 3.3 (a server may add superclasses); slapd 2.5.13.
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils
{ company; person ada; } > "$W/data.ldif"
slapd_start "$W/data.ldif"
fact "found as person, organizationalPerson and top" "dn: uid=ada,ou=people,dc=example,dc=test" \
  "$(as_admin ldapsearch -LLL -b dc=example,dc=test '(&(objectClass=person)(objectClass=organizationalPerson)(objectClass=top))' 1.1 | grep .)"
fact "her classes by ldapsearch" "inetOrgPerson" "$(as_admin ldapsearch -LLL -b dc=example,dc=test '(uid=ada)' objectClass | sed -n 's/^objectClass: //p' | xargs)"
fact "her classes by slapcat" "inetOrgPerson" "$(/usr/sbin/slapcat -f "$SLAPD_CONF" -a '(uid=ada)' | sed -n 's/^objectClass: //p' | xargs)"
fact "the structural class, which both give on request" "inetOrgPerson" "$(as_admin ldapsearch -LLL -b dc=example,dc=test '(uid=ada)' structuralObjectClass | sed -n 's/^structuralObjectClass: //p')"
verdict
