#!/bin/bash
# Expected: a library that reads entries from LDIF refuses a file of changes, or says of each record that it is one.
# Fact: four of six hand over the order to delete somebody as that somebody, with an attribute `changetype`: python-ldap's
#   LDIFParser, net-ldap (Ruby), UnboundID's readEntry() and OpenDJ's LDIFEntryReader. Net::LDAP::LDIF (Perl) says "delete",
#   and Apache Directory's LdifReader says that it is a change.
# Why it matters: a nightly file that turns from a dump into a difference is read without an error; who was to go, stays,
#   and everybody who did not change is missing.
# Source: RFC 2849 (an LDIF file has entries or changes). Versions are printed.
. "$(dirname "$0")/lib.sh"
packages python3-ldap ruby ruby-net-ldap libnet-ldap-perl openjdk-17-jdk-headless maven
jars com.unboundid:unboundid-ldapsdk:7.0.2 org.openidentityplatform.opendj:opendj-core:4.6.5 org.apache.directory.api:api-all:2.1.7
printf 'version: 1\n\ndn: uid=bob,ou=people,dc=example,dc=test\nchangetype: delete\n\n' > "$W/changes.ldif"
export FILE=$W/changes.ldif
cat > "$W/a.py" <<'P'
import ldif, os
class Entries(ldif.LDIFParser):
    def handle(self, dn, entry): print(dn.split(",")[0], sorted(entry), end="")
Entries(open(os.environ["FILE"], "rb")).parse()
P
fact "python-ldap" "uid=bob ['changetype']" "$(/usr/bin/python3 "$W/a.py")"
fact "net-ldap" "uid=bob changetype" "$(ruby -e 'require "net/ldap"; Net::LDAP::Dataset.read_ldif(File.open(ENV["FILE"])).each { |dn, a| print dn.split(",")[0], " ", a.keys.join(" ") }')"
fact "Net::LDAP::LDIF" "uid=bob delete" "$(perl -MNet::LDAP::LDIF -e '$e = Net::LDAP::LDIF->new($ENV{FILE})->read_entry; print substr($e->dn, 0, 7), " ", $e->changetype')"
cat > "$W/A.java" <<'J'
import java.io.*;
class A {
  public static void main(String[] a) throws Exception {
    String file = System.getenv("FILE");
    try (var r = new com.unboundid.ldif.LDIFReader(file)) { var e = r.readEntry(); System.out.println(e.getRDN() + " " + e.getAttributes().iterator().next().getName()); }
    try (var r = new org.forgerock.opendj.ldif.LDIFEntryReader(new FileInputStream(file))) {
      var e = r.readEntry();
      System.out.println(e.getName().rdn() + " " + e.getAllAttributes().iterator().next().getAttributeDescriptionAsString());
    }
    try (var r = new org.apache.directory.api.ldap.model.ldif.LdifReader(file)) { var e = r.iterator().next(); System.out.println(e.isLdifContent() + " " + e.getChangeType()); }
  }
}
J
java -cp "$CLASSPATH" "$W/A.java" > "$W/java" 2> "$W/java.err" || cat "$W/java.err"
fact "UnboundID, readEntry()" "uid=bob changetype" "$(sed -n 1p "$W/java")"
fact "OpenDJ, LDIFEntryReader" "uid=bob changetype" "$(sed -n 2p "$W/java")"
fact "Apache Directory: whether it is content, and which change" "false Delete" "$(sed -n 3p "$W/java")"
verdict
