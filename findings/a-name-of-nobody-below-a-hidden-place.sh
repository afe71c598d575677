#!/bin/bash
# Expected: a search at a DN that nobody has ends with noSuchObject.
# Fact: 389 Directory Server ends it with success and nothing, for whoever may not see the entry above: just as for a person who is there
#   and hidden. Who may see all but that person is told noSuchObject of the one, and success and nothing of the other.
# Why it matters: who asks for a DN to learn whether somebody is gone is told the same of the deleted and of the hidden; and whether
#   it can be told apart at all depends on rights to other entries.
# Source: RFC 4511 section 4.1.9 (noSuchObject). Seen with 389-ds-base 2.3.1; OpenLDAP 2.5 says noSuchObject of both.
. "$(dirname "$0")/lib.sh"
packages 389-ds-base ldap-utils
dirsrv_start
reader=cn=reader,dc=example,dc=test people=ou=people,dc=example,dc=test
{ company; person ada; printf '%s\n' "dn: $reader" 'objectClass: person' 'cn: reader' 'sn: reader' 'userPassword: readersecret'; } | as_manager ldapadd > /dev/null
asked() { ldapsearch -x -H "$URL" -D "$reader" -w readersecret -b "uid=$1,$people" -s base '(objectClass=*)' 1.1 > "$W/asked" 2>&1 || true; echo "result $(sed -n 's/^result: \([0-9]*\) .*/\1/p' "$W/asked"), $(grep -c '^dn:' "$W/asked" || true) entries"; }
fact "ada, who is there and hidden" "result 0, 0 entries" "$(asked ada)"
fact "nobody, below a place that is hidden" "result 0, 0 entries" "$(asked nobody)"
rule() { printf '%s\n' "dn: $1" 'changetype: modify' 'add: aci' "aci: $2(version 3.0; acl \"$3\"; $3 (read, search, compare) userdn=\"ldap:///$reader\";)" | as_manager ldapmodify > /dev/null; }
rule dc=example,dc=test '(targetattr="*")' allow
rule "$people" '(targetattr="*")(targetfilter="(uid=ada)")' deny
fact "ada, when all but she are to be seen" "result 0, 0 entries" "$(asked ada)"
fact "nobody, when all but ada are to be seen" "result 32, 0 entries" "$(asked nobody)"
verdict
