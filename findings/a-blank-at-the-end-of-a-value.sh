#!/bin/bash
# Expected: all who read LDIF read the same value from one line.
# Fact: of `sn: Example ` with a blank at its end UnboundID refuses the whole entry, Apache Directory drops the blank, the others
#   keep it. Among writers net-ldap (Ruby) writes such a value as it is, and a value that begins with a blank, too, so
#   that its own reader gets it back without the blank; ldapsearch and python-ldap use base64 for both.
# Why it matters: one export, three people, or none. A blank at the end of a login name comes from forms and spreadsheets.
# Source: RFC 2849 (value-spec, SAFE-STRING; note 8: such a value SHOULD be base64). Versions are printed.
. "$(dirname "$0")/lib.sh"
packages python3-ldap ruby ruby-net-ldap libnet-ldap-perl openjdk-17-jdk-headless maven
jars com.unboundid:unboundid-ldapsdk:7.0.2 org.openidentityplatform.opendj:opendj-core:4.6.5 org.apache.directory.api:api-all:2.1.7
printf 'version: 1\n\ndn: uid=ada,dc=example,dc=test\nuid: ada\nsn: Example \n\n' > "$W/a.ldif"
export FILE=$W/a.ldif
fact "python-ldap" "[b'Example ']" "$(/usr/bin/python3 -c 'import ldif, os; l = ldif.LDIFRecordList(open(os.environ["FILE"], "rb")); l.parse(); print(l.all_records[0][1]["sn"])')"
fact "net-ldap" '["Example "]' "$(ruby -e 'require "net/ldap"; p Net::LDAP::Dataset.read_ldif(File.open(ENV["FILE"])).first[1][:sn]')"
fact "Net::LDAP::LDIF" "<Example >" "$(perl -MNet::LDAP::LDIF -e 'print "<", Net::LDAP::LDIF->new($ENV{FILE})->read_entry->get_value("sn"), ">"')"
cat > "$W/A.java" <<'J'
import java.io.*;
class A {
  public static void main(String[] a) throws Exception {
    String file = System.getenv("FILE");
    try (var r = new com.unboundid.ldif.LDIFReader(file)) { System.out.println("<" + r.readEntry().getAttributeValue("sn") + ">"); }
    catch (com.unboundid.ldif.LDIFException e) { System.out.println(e.getMessage().replaceAll(".*which", "which")); }
    try (var r = new org.forgerock.opendj.ldif.LDIFEntryReader(new FileInputStream(file))) { System.out.println("<" + r.readEntry().getAttribute("sn").firstValueAsString() + ">"); }
    try (var r = new org.apache.directory.api.ldap.model.ldif.LdifReader(file)) { System.out.println("<" + r.iterator().next().get("sn").getString() + ">"); }
  }
}
J
java -cp "$CLASSPATH" "$W/A.java" > "$W/java" 2> "$W/java.err" || cat "$W/java.err"
fact "UnboundID" "which ends with an illegal trailing space." "$(sed -n 1p "$W/java")"
fact "OpenDJ" "<Example >" "$(sed -n 2p "$W/java")"
fact "Apache Directory" "<Example>" "$(sed -n 3p "$W/java")"
cat > "$W/w.rb" <<'R'
require 'net/ldap'
e = Net::LDAP::Entry.new('uid=ada,dc=example,dc=test')
e[:sn] = 'Example '
e[:cn] = ' Ada'
text = e.to_ldif
print text.lines.grep(/^sn/).first.inspect, ' ', Net::LDAP::Dataset.read_ldif(StringIO.new(text)).first[1][:cn].inspect
R
fact "net-ldap writes the blank at the end; reads its own ' Ada'" '"sn: Example \n" ["Ada"]' "$(ruby "$W/w.rb")"
fact "python-ldap writes the blank at the end" "sn:: RXhhbXBsZSA=" "$(/usr/bin/python3 -c 'import ldif, sys; ldif.LDIFWriter(sys.stdout).unparse("uid=ada", {"sn": [b"Example "]})' | grep ^sn)"
verdict
