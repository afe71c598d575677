#!/bin/bash
# Expected: the report of ldapsearch ends with the number of entries, which is 0 where there were none.
# Fact: "# numEntries" is left out then; "# numResponses: 1" and the result are all that says that the search came to its end.
# Why it matters: a file of several searches, of which one found nobody, looks as if it had been cut, to whoever waits for the count.
# Source: ldapsearch(1). Versions are printed.
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils
{ company; person ada; } > "$W/data.ldif"
slapd_start "$W/data.ldif"
counts() { ldapsearch -x -H "$URL" -b dc=example,dc=test "$1" 1.1 | grep -E '^(# num|result:)' | xargs; }
fact "one entry" "result: 0 Success # numResponses: 2 # numEntries: 1" "$(counts '(uid=ada)')"
fact "none" "result: 0 Success # numResponses: 1" "$(counts '(uid=zoe)')"
verdict
