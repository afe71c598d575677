#!/bin/bash
# Expected: with JNDI's default for referrals, `ignore`, the referral objects of a directory are left out of a search.
# Fact: Java sends the control ManageDsaIT then, by which the server hands each referral object over as an ordinary entry.
#   ldapsearch without -M gets a continuation reference for the same search, and no entry.
# Why it matters: a place that is on another server looks like an entry here, with the class `referral` and its people
#   nowhere; a reader in Java and one in C see a different number of entries.
# Source: RFC 3296 section 3; JNDI, java.naming.referral. Seen with OpenJDK 17 and slapd 2.5.13.
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils openjdk-17-jdk-headless
{ company; person ada; printf 'dn: ou=abroad,dc=example,dc=test\nobjectClass: referral\nobjectClass: extensibleObject\nou: abroad\nref: ldap://127.0.0.1:1/ou=abroad,dc=example,dc=test\n\n'; } > "$W/data.ldif"
slapd_start "$W/data.ldif"
export URL
cat > "$W/A.java" <<'J'
import java.util.*;
import javax.naming.*;
import javax.naming.directory.*;
class A {
  public static void main(String[] a) throws Exception {
    for (String how : new String[] {"", "ignore", "throw"}) {
      var env = new Hashtable<String, String>();
      env.put(Context.INITIAL_CONTEXT_FACTORY, "com.sun.jndi.ldap.LdapCtxFactory");
      env.put(Context.PROVIDER_URL, System.getenv("URL"));
      if (!how.isEmpty()) env.put(Context.REFERRAL, how);
      var names = new TreeSet<String>();
      try {
        for (var e = new InitialDirContext(env).search("dc=example,dc=test", "(ou=*)", new SearchControls()); e.hasMore();) names.add(e.next().getName());
      } catch (ReferralException e) { names.add(e.getClass().getSimpleName()); }
      System.out.println((how.isEmpty() ? "default" : how) + ":" + String.join(" ", names));
    }
  }
}
J
sed -i 's/new SearchControls()/new SearchControls(SearchControls.ONELEVEL_SCOPE, 0, 0, null, false, false)/' "$W/A.java"
java "$W/A.java" > "$W/java"
fact "JNDI by default" "default:ou=abroad ou=groups ou=people" "$(sed -n 1p "$W/java")"
fact "JNDI with ignore" "ignore:ou=abroad ou=groups ou=people" "$(sed -n 2p "$W/java")"
fact "JNDI with throw" "throw:LdapReferralException ou=groups ou=people" "$(sed -n 3p "$W/java")"
fact "ldapsearch" "ou=groups ou=people" "$(ldapsearch -x -LLL -H "$URL" -b dc=example,dc=test -s one '(ou=*)' 1.1 | sed -n 's/^dn: \([^,]*\),.*/\1/p' | sort | xargs)"
verdict
