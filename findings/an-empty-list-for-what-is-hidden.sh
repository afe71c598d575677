#!/bin/bash
# Expected: an attribute that the server did not send is missing in the entry that the library hands over.
# Fact: ldapts (Node.js) and ldap3 (Python) put an empty list there for each attribute that was asked for, whether
#   nobody has it, this reader may not see it, or the server does not know its name.
# Why it matters: "has no groups" and "was not told of groups" look the same, and the second must remove nobody.
#   In ldap3 `return_empty_attributes=False` tells them apart from values; ldapts has no such choice.
# Source: RFC 4511 section 4.5.2 (what may not be seen is left out). Versions are printed.
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils
python_with ldap3==2.9.1
node_with ldapts@8.2.0
{ company; person ada 'employeeNumber: 7\n'; } > "$W/data.ldif"
slapd_start "$W/data.ldif" '' 'access to attrs=mail by * none\naccess to * by * read'
export URL BASE=ou=people,dc=example,dc=test
cat > "$W/a.mjs" <<'N'
import { Client } from 'ldapts';
const c = new Client({ url: process.env.URL });
const { searchEntries: [e] } = await c.search(process.env.BASE, { filter: '(uid=ada)', attributes: ['employeeNumber', 'mail', 'title', 'noSuchAttribute'] });
delete e.dn;
console.log(JSON.stringify(e));
await c.unbind();
N
fact "ldapts: one that she has, hidden, absent, unknown" '{"employeeNumber":"7","mail":[],"title":[],"noSuchAttribute":[]}' "$(cd "$W" && node a.mjs)"
cat > "$W/a.py" <<'P'
import json, os, ldap3
for keep in (True, False):
    c = ldap3.Connection(ldap3.Server(os.environ["URL"], get_info=ldap3.NONE), auto_bind=True, return_empty_attributes=keep)
    c.search(os.environ["BASE"], "(uid=ada)", attributes=["employeeNumber", "mail", "title"])
    print(json.dumps({k: [v.decode() if isinstance(v, bytes) else v for v in vs] for k, vs in c.response[0]["attributes"].items()}, sort_keys=True))
P
fact "ldap3, by default and with return_empty_attributes=False" '{"employeeNumber": ["7"], "mail": [], "title": []} {"employeeNumber": ["7"]}' "$("$W/py/bin/python" "$W/a.py" | xargs -d "\n")"
verdict
