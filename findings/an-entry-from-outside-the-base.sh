#!/bin/bash
# Expected: a search brings entries at or below its base.
# Fact: asked for tombstones (or for all and tombstones) below the suffix, 389 Directory Server also sends an entry of cn=config: the replica's
#   own, since it stands in for the tombstone that keeps the state of replication. Its DN is not below the base.
# Why it matters: an export that is to show who was deleted has an entry of another tree in it; a reader that takes the common
#   suffix of all entries for the directory's name finds none.
# Source: RFC 4511 section 4.5.1.2 (scope); 389 Directory Server, database RUV. Seen with 389-ds-base 2.3.1.
. "$(dirname "$0")/lib.sh"
packages 389-ds-base python3-lib389 ldap-utils
dirsrv_start
{
  company
  person ada
  printf '%s\n' 'dn: cn=replica,cn="dc=example,dc=test",cn=mapping tree,cn=config' 'objectClass: nsds5replica' 'cn: replica' 'nsDS5ReplicaRoot: dc=example,dc=test' \
    'nsDS5ReplicaType: 3' 'nsDS5ReplicaId: 1' 'nsDS5Flags: 1' 'nsDS5ReplicaBindDN: cn=replication manager,cn=config' ''
} | as_manager ldapadd > /dev/null
person gone | as_manager ldapadd > /dev/null
as_manager ldapdelete uid=gone,ou=people,dc=example,dc=test
found() { as_manager ldapsearch -LLL -o ldif-wrap=no -b dc=example,dc=test "$1" 1.1 | sed -n 's/^dn: //p' | grep -v ',dc=example,dc=test$' | grep -v '^dc=example,dc=test$' || true; }
fact "outside of dc=example,dc=test, of all entries" "" "$(found '(objectClass=*)')"
fact "outside of it, of the tombstones" 'cn=replica,cn=dc\3Dexample\2Cdc\3Dtest,cn=mapping tree,cn=config' "$(found '(objectClass=nsTombstone)')"
verdict
