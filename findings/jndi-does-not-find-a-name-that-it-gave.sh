#!/bin/bash
# Expected: the DN that a search in Java returns (getNameInNamespace) finds the entry again.
# Fact: not if the name has a slash. JNDI takes a text for a composite name, in which a slash parts two systems, and says
#   NameNotFoundException. The other name of the result (getName) is in quotation marks then. As an LdapName the same DN finds it.
# Why it matters: who looks somebody up to make sure that he is really gone is told so, for everybody in "Sales/EMEA".
# Source: javax.naming.CompositeName; RFC 4514 (a slash is an ordinary character). Seen with OpenJDK 17 and slapd 2.5.13.
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils openjdk-17-jdk-headless
{ company; printf 'dn: ou=Sales/EMEA,dc=example,dc=test\nobjectClass: organizationalUnit\nou: Sales/EMEA\n\n'; } > "$W/data.ldif"
slapd_start "$W/data.ldif"
export URL
cat > "$W/A.java" <<'J'
import java.util.Hashtable;
import javax.naming.*;
import javax.naming.directory.*;
import javax.naming.ldap.LdapName;
class A {
  public static void main(String[] a) throws Exception {
    var env = new Hashtable<String, String>();
    env.put(Context.INITIAL_CONTEXT_FACTORY, "com.sun.jndi.ldap.LdapCtxFactory");
    env.put(Context.PROVIDER_URL, System.getenv("URL"));
    var context = new InitialDirContext(env);
    var found = context.search("dc=example,dc=test", "(ou=Sales*)", new SearchControls()).next();
    System.out.println(found.getName() + " " + found.getNameInNamespace());
    try { System.out.println(context.getAttributes(found.getNameInNamespace()).get("ou")); } catch (NamingException e) { System.out.println(e.getClass().getSimpleName()); }
    System.out.println(context.getAttributes(new LdapName(found.getNameInNamespace())).get("ou"));
  }
}
J
java "$W/A.java" > "$W/out"
fact "getName and getNameInNamespace" '"ou=Sales/EMEA" ou=Sales/EMEA,dc=example,dc=test' "$(sed -n 1p "$W/out")"
fact "looked up by that DN as text" NameNotFoundException "$(sed -n 2p "$W/out")"
fact "looked up by it as an LdapName" "ou: Sales/EMEA" "$(sed -n 3p "$W/out")"
verdict
