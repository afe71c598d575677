#!/bin/bash
# Expected: a group that lists nobody, and that (member=...) does not find for anybody, has no members.
# Fact: OpenDJ's virtual static groups, which give a dynamic group the look of a stored one, by default let `member` be compared but not
#   read: the list is empty, the filter finds no group, and yet a comparison says TRUE and `isMemberOf` of each person
#   names the group. (ds-cfg-allow-retrieving-membership: false.)
# Why it matters: who reads groups sees an empty one and removes everybody; who reads people sees all of them in it.
# Source: OpenDJ, virtual static groups. Seen with OpenDJ 4.6.5.
. "$(dirname "$0")/lib.sh"
packages ldap-utils openjdk-17-jdk-headless maven
echo "org.openidentityplatform.opendj:opendj-server-legacy:4.6.5:zip"
(cd "$W" && mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -Dartifact=org.openidentityplatform.opendj:opendj-server-legacy:4.6.5:zip -DoutputDirectory="$W" > mvn.log 2>&1) || { tail -5 "$W/mvn.log"; exit 2; }
(cd "$W" && python3 -m zipfile -e opendj-server-legacy-4.6.5.zip .)
cd "$W/opendj" && chmod +x setup bin/* lib/*.sh
port=$(free_port)
URL=ldap://127.0.0.1:$port
./setup --cli --no-prompt --acceptLicense --rootUserDN 'cn=Directory Manager' --rootUserPassword secretsecret --ldapPort "$port" --adminConnectorPort "$(free_port)" \
  --baseDN dc=example,dc=test --hostname localhost --skipPortCheck --doNotStart > "$W/setup.log" 2>&1 || { tail -5 "$W/setup.log"; exit 2; }
sed -i 's/^ds-cfg-listen-address: 0.0.0.0/ds-cfg-listen-address: 127.0.0.1/' config/config.ldif
bin/start-ds --nodetach > "$W/log" 2>&1 &
PIDS+=($!)
manager() { local tool=$1; shift; "$tool" -x -H "$URL" -D 'cn=Directory Manager' -w secretsecret "$@"; }
until_true 90 manager ldapsearch -s base -b ''
{
  company
  person ada
  printf 'dn: cn=dynamic,ou=groups,dc=example,dc=test\nobjectClass: groupOfURLs\ncn: dynamic\nmemberURL: ldap:///ou=people,dc=example,dc=test??sub?(uid=ada)\n\n'
  printf 'dn: cn=staff,ou=groups,dc=example,dc=test\nobjectClass: groupOfNames\nobjectClass: ds-virtual-static-group\ncn: staff\nds-target-group-dn: cn=dynamic,ou=groups,dc=example,dc=test\n\n'
} | manager ldapadd > /dev/null
ada=uid=ada,ou=people,dc=example,dc=test
fact "the members that the group lists" "" "$(manager ldapsearch -LLL -b cn=staff,ou=groups,dc=example,dc=test '(cn=staff)' member | sed -n 's/^member: //p')"
fact "groups found by (member=ada)" "" "$(manager ldapsearch -LLL -b ou=groups,dc=example,dc=test "(member=$ada)" 1.1 | sed -n 's/^dn: //p')"
fact "whether ada is a member, compared" TRUE "$(manager ldapcompare cn=staff,ou=groups,dc=example,dc=test "member:$ada" 2>&1 || true)"
fact "the groups that ada names" "cn=dynamic cn=staff" "$(manager ldapsearch -LLL -b "$ada" '(uid=ada)' isMemberOf | sed -n 's/^isMemberOf: \([^,]*\),.*/\1/p' | sort | xargs)"
verdict
