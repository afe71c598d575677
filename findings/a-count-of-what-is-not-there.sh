#!/bin/bash
# Expected: `# total number of entries: 3` at the end of an LDIF text stands below three entries, and the text ends with a line break.
# Fact: ldap3 (Python, response_to_ldif) counts the references of the search too, which it does not write, and writes no line break after
#   the count. Two such texts one behind the other have `# total number of entries: 3version: 1`.
# Why it matters: every export of a domain controller has such references, so that a reader that checks the count refuses them all; one
#   that asks for a last line break refuses every file of this library; and one that trusts neither cannot see that a file is cut.
# Source: RFC 2849 (each line ends with SEP). Versions are printed.
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils
python_with ldap3==2.9.1
{ company; printf 'dn: ou=abroad,dc=example,dc=test\nobjectClass: referral\nobjectClass: extensibleObject\nou: abroad\nref: ldap://127.0.0.1:1/ou=abroad,dc=example,dc=test\n\n'; } > "$W/data.ldif"
slapd_start "$W/data.ldif"
cat > "$W/a.py" <<'P'
import sys, ldap3
c = ldap3.Connection(ldap3.Server(sys.argv[1], get_info=ldap3.NONE), auto_bind=True, auto_referrals=False)
c.search("dc=example,dc=test", "(objectClass=*)", attributes=["ou"])
text = c.response_to_ldif()
print(text.count("\ndn:"), text.splitlines()[-1], text.endswith("\n"))
P
fact "entries written, the last line, whether a line break follows" "3 # total number of entries: 4 False" "$("$W/py/bin/python" "$W/a.py" "$URL")"
verdict
