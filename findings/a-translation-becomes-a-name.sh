#!/bin/bash
# Expected: `cn;lang-ja` is not `cn` for a library that reads LDIF.
# Fact: Spring LDAP's LdifParser puts the values of an attribute with an option among those of the plain one. python-ldap
#   and OpenDJ keep them apart by name.
# Why it matters: a group with one name has two. And exports of 389 Directory Server with its replication state have removed values
#   under the option `deleted`: with the option goes what says that they are removed.
# Source: RFC 4512 section 2.5 (options), RFC 3866 (lang-). Versions are printed.
. "$(dirname "$0")/lib.sh"
packages openjdk-17-jdk-headless maven python3-ldap
jars org.springframework.ldap:spring-ldap-ldif-core:3.3.4 org.openidentityplatform.opendj:opendj-core:4.6.5
printf 'version: 1\n\ndn: cn=staff,dc=example,dc=test\ncn: staff\ncn;lang-ja: shain\nmember: uid=ada,dc=example,dc=test\nmember;vdcsn-65f0a1b2000000010000;deleted: uid=bob,dc=example,dc=test\n\n' > "$W/a.ldif"
export FILE=$W/a.ldif
cat > "$W/A.java" <<'J'
import java.io.*;
import java.util.*;
class A {
  public static void main(String[] a) throws Exception {
    var p = new org.springframework.ldap.ldif.parser.LdifParser(new File(System.getenv("FILE")));
    p.open();
    p.hasMoreRecords();
    var e = p.getRecord();
    System.out.println(Collections.list((Enumeration<?>) e.get("cn").getAll()) + " " + e.get("member").size() + " " + e.get("cn;lang-ja"));
    try (var r = new org.forgerock.opendj.ldif.LDIFEntryReader(new FileInputStream(System.getenv("FILE")))) {
      var names = new TreeSet<String>();
      for (var x : r.readEntry().getAllAttributes()) names.add(x.getAttributeDescriptionAsString() + "=" + x.size());
      System.out.println(names);
    }
  }
}
J
java -cp "$CLASSPATH" "$W/A.java" > "$W/java" 2> "$W/java.err" || cat "$W/java.err"
fact "Spring: values of cn, number of members with the removed one, what it has of cn;lang-ja" "[staff, shain] 2 null" "$(sed -n 1p "$W/java")"
fact "OpenDJ: names and numbers of values" "[cn;lang-ja=1, cn=1, member;vdcsn-65f0a1b2000000010000;deleted=1, member=1]" "$(sed -n 2p "$W/java")"
fact "python-ldap" "['cn', 'cn;lang-ja', 'member', 'member;vdcsn-65f0a1b2000000010000;deleted']" "$(/usr/bin/python3 -c 'import ldif, os; l = ldif.LDIFRecordList(open(os.environ["FILE"], "rb")); l.parse(); print(sorted(l.all_records[0][1]))')"
verdict
