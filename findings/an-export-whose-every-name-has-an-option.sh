#!/bin/bash
# Expected: an export of a replicating server has the entries as a search shows them, and something beside.
# Fact: `db2ldif -r` of 389 Directory Server puts the state of replication into the names: there is no `cn:` any more but
#   `cn;vucsn-...:`, no `objectClass:` but `objectClass;vucsn-...:`. A value that was removed stands beside those that are there,
#   with `;deleted` in its name; an attribute that was removed has `;deletedattribute;deleted` and an empty value. Who was deleted
#   is an entry still, below his own former DN.
# Why it matters: this is the dump that a replica is made from, so it lies about. A reader that looks for names finds nobody; one that
#   cuts the options off gives people back what was taken from them.
# Source: RFC 4512 section 2.5 (options); Red Hat Directory Server, dsctl db2ldif --replication. Seen with 389-ds-base 2.3.1.
. "$(dirname "$0")/lib.sh"
packages 389-ds-base python3-lib389 ldap-utils
dirsrv_start
printf '%s\n' 'dn: dc=example,dc=test' 'objectClass: domain' 'dc: example' '' \
  'dn: cn=replica,cn="dc=example,dc=test",cn=mapping tree,cn=config' 'objectClass: nsds5replica' 'cn: replica' 'nsDS5ReplicaRoot: dc=example,dc=test' \
  'nsDS5ReplicaType: 3' 'nsDS5ReplicaId: 1' 'nsDS5Flags: 1' 'nsDS5ReplicaBindDN: cn=replication manager,cn=config' '' | as_manager ldapadd > /dev/null
{ company | tail -n +5; person ada 'mail: old@example.test\nmobile: 1\n'; person gone; } | as_manager ldapadd > /dev/null
printf '%s\n' 'dn: uid=ada,ou=people,dc=example,dc=test' 'changetype: modify' 'delete: mail' 'mail: old@example.test' '-' 'delete: mobile' | as_manager ldapmodify > /dev/null
as_manager ldapdelete uid=gone,ou=people,dc=example,dc=test
dirsrv_stop
chmod 755 "$W" && mkdir -m 777 "$W/out"
ns-slapd db2ldif -D "/etc/dirsrv/slapd-$DIRSRV" -n userRoot -r -a "$W/out/all.ldif" > "$W/log" 2>&1
entry() { awk -v begin="$1" 'BEGIN { RS = "" } index($0, "\ndn: " begin) { print }' "$W/out/all.ldif" | sed -e ':a; N; $!ba; s/\n //g' | sed 's/csn-[0-9a-f]*/csn-N/g'; }
fact "lines of ada that begin with cn:, mail: or objectClass:" 0 "$(entry uid=ada, | grep -cE '^(cn|mail|objectClass):' || true)"
fact "her mail" "mail;vucsn-N: ada@example.test|mail;vucsn-N;vdcsn-N;deleted: old@example.test" "$(entry uid=ada, | grep '^mail' | paste -sd'|')"
fact "her mobile" "mobile;adcsn-N;vdcsn-N;deletedattribute;deleted:" "$(entry uid=ada, | grep '^mobile')"
fact "entries of who was deleted, and their place" "dn: nsuniqueid=N,uid=gone,ou=people,dc=example,dc=test" "$(entry nsuniqueid= | grep '^dn: .*uid=gone' | sed 's/=[0-9a-f]\{8\}-[0-9a-f-]*/=N/')"
verdict
