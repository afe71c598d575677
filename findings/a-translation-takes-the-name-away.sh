#!/bin/bash
# Expected: `cn;lang-ja` is an attribute beside `cn`, which can be added and removed without touching it.
# Fact: ApacheDS keeps one attribute for both. An entry that is added with cn and cn;lang-ja has both values under `cn;lang-ja` and
#   no cn; who adds cn;lang-ja later makes a second cn; and who deletes title;lang-ja, which nobody has, deletes the title.
# Why it matters: the tool that writes translations renames people, or takes away what it was not asked for, and answers success.
# Source: RFC 4512 section 2.5.2 (tagging options), RFC 3866. Seen with ApacheDS 2.0.0.AM27.
. "$(dirname "$0")/lib.sh"
packages ldap-utils openjdk-17-jdk-headless maven
jars org.apache.directory.server:apacheds-all:2.0.0.AM27
cat > "$W/A.java" <<'J'
import org.apache.directory.api.ldap.model.name.Dn;
import org.apache.directory.server.core.factory.DefaultDirectoryServiceFactory;
import org.apache.directory.server.core.partition.impl.avl.AvlPartition;
import org.apache.directory.server.ldap.LdapServer;
import org.apache.directory.server.protocol.shared.transport.TcpTransport;
class A {
  public static void main(String[] a) throws Exception {
    var factory = new DefaultDirectoryServiceFactory();
    factory.init("finding");
    var service = factory.getDirectoryService();
    var partition = new AvlPartition(service.getSchemaManager(), service.getDnFactory());
    partition.setId("example");
    partition.setSuffixDn(new Dn(service.getSchemaManager(), "dc=example,dc=test"));
    service.addPartition(partition);
    var server = new LdapServer();
    server.setTransports(new TcpTransport("127.0.0.1", Integer.parseInt(a[0])));
    server.setDirectoryService(service);
    server.start();
    Thread.sleep(600_000);
  }
}
J
port=$(free_port)
URL=ldap://127.0.0.1:$port
java -DworkingDirectory="$W/data" -Djava.io.tmpdir="$W" -cp "$CLASSPATH" "$W/A.java" "$port" > "$W/log" 2>&1 &
PIDS+=($!)
system() { local tool=$1; shift; "$tool" -x -H "$URL" -D uid=admin,ou=system -w secret "$@"; }
until_true 90 system ldapsearch -s base -b ''
{ company; person ada 'cn;lang-ja: eida\n'; person bob 'title: boss\n'; } | system ldapadd > /dev/null
shows() { system ldapsearch -LLL -b "uid=$1,ou=people,dc=example,dc=test" '(uid=*)' | grep -E "^$2" | sort | paste -sd'|'; }
fact "who came with cn and cn;lang-ja" "cn;lang-ja: ada Example|cn;lang-ja: eida" "$(shows ada cn)"
printf '%s\n' 'dn: uid=bob,ou=people,dc=example,dc=test' 'changetype: modify' 'add: cn;lang-ja' 'cn;lang-ja: bobu' | system ldapmodify > /dev/null
fact "who got cn;lang-ja later" "cn: bob Example|cn: bobu" "$(shows bob cn)"
fact "his title" "title: boss" "$(shows bob title)"
printf '%s\n' 'dn: uid=bob,ou=people,dc=example,dc=test' 'changetype: modify' 'delete: title;lang-ja' | system ldapmodify > /dev/null
fact "his title after title;lang-ja was deleted" "" "$(shows bob title || true)"
verdict
