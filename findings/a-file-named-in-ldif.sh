#!/bin/bash
# Expected: `jpegPhoto:< file:///...` is read as the contents of that file, or refused, by whoever reads LDIF.
# Fact: net-ldap (Ruby) takes the name for the value (`< file:///...`); python-ldap gives None unless it was told which kinds of URL to
#   follow; the npm package `ldif` asks for a file that is really called "file:///..."; Net::LDAP and UnboundID
#   read the file.
# Why it matters: `ldapsearch -t` writes such lines. A value that is somebody's key elsewhere becomes a path of this machine for
#   everybody who has one, and the same for nobody.
# Source: RFC 2849 (value-spec with "<"); ldapsearch(1), -t. Versions are printed.
. "$(dirname "$0")/lib.sh"
packages python3-ldap ruby ruby-net-ldap libnet-ldap-perl openjdk-17-jdk-headless maven
node_with ldif@0.5.1
jars com.unboundid:unboundid-ldapsdk:7.0.2
printf picture > "$W/photo"
printf 'dn: uid=ada,dc=example,dc=test\nuid: ada\njpegPhoto:< file://%s\n\n' "$W/photo" > "$W/a.ldif"
export FILE=$W/a.ldif
plain() { sed "s|$W|DIR|g"; }
fact "net-ldap" '["< file://DIR/photo"]' "$(ruby -e 'require "net/ldap"; p Net::LDAP::Dataset.read_ldif(File.open(ENV["FILE"])).first[1][:jpegphoto]' | plain)"
fact "python-ldap" "[None]" "$(/usr/bin/python3 -c 'import ldif, os; l = ldif.LDIFRecordList(open(os.environ["FILE"], "rb")); l.parse(); print(l.all_records[0][1]["jpegPhoto"])')"
fact "npm ldif" "ENOENT: no such file or directory, open 'file://DIR/photo'" "$(cd "$W" && node -e 'try { console.log(require("ldif").parse(require("fs").readFileSync(process.env.FILE, "utf8")).shift().toObject({}).attributes.jpegPhoto) } catch (e) { console.log(e.message) }' | plain)"
fact "Net::LDAP::LDIF" picture "$(perl -MNet::LDAP::LDIF -e 'print Net::LDAP::LDIF->new($ENV{FILE})->read_entry->get_value("jpegPhoto")')"
cat > "$W/A.java" <<'J'
class A {
  public static void main(String[] a) throws Exception {
    try (var r = new com.unboundid.ldif.LDIFReader(System.getenv("FILE"))) { System.out.println(r.readEntry().getAttributeValue("jpegPhoto")); }
  }
}
J
fact "UnboundID" picture "$(java -cp "$CLASSPATH" "$W/A.java")"
verdict
