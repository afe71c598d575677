#!/bin/bash
# Expected: an export by ldapsearch that the server ended at its size limit says so in the file.
# Fact: only the form without any -L does (`result: 4 Size limit exceeded`). With -L the report still ends with the number of entries,
#   which is right for what came, and has an empty `# search result`; with -LL and -LLL there is nothing. The exit status is 4 each
#   time, but a pipe or a file does not carry it.
# Why it matters: -L and -LLL are what manuals advise for exports. The count agrees, the file ends well, and half the people are missing.
# Source: ldapsearch(1), -L; RFC 4511 section 4.5.1.4. Seen with ldap-utils 2.5.13.
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils
{ company; for who in ada bob cyd; do person $who; done; } > "$W/data.ldif"
slapd_start "$W/data.ldif" 'sizelimit 2'
tail_of() {
  local status=0
  ldapsearch -x $1 -H "$URL" -b ou=people,dc=example,dc=test '(uid=*)' 1.1 > "$W/out" 2> /dev/null || status=$?
  echo "$(grep -E '^(# search result|result:|# numEntries)' "$W/out" | paste -sd'|') exit $status"
}
fact "without -L" "# search result|result: 4 Size limit exceeded|# numEntries: 2 exit 4" "$(tail_of '')"
fact "with -L" "# search result|# numEntries: 2 exit 4" "$(tail_of -L)"
fact "with -LL" " exit 4" "$(tail_of -LL)"
fact "with -LLL" " exit 4" "$(tail_of -LLL)"
verdict
