#!/bin/bash
# Expected: a search in pages brings the same entries whatever attributes are asked for; `1.1` asks for none.
# Fact: ApacheDS ends a search in pages that asks for `1.1` after the first page, with success and without the control that says
#   whether there are more. With any other attribute it brings all pages.
# Why it matters: who lists DNs alone, to see who is still there, finds the first page and takes everybody else for deleted.
# Source: RFC 2696 section 3, RFC 4511 section 4.5.1.8. Seen with ApacheDS 2.0.0.AM27.
. "$(dirname "$0")/lib.sh"
packages "${JAVA[@]}"
apacheds_start
{ company; for n in $(seq 10 49); do person "u$n"; done; } | as_system ldapadd > /dev/null
pages() { as_system ldapsearch -b dc=example,dc=test -E pr=20/noprompt '(uid=u*)' "$1" > "$W/pages"; echo "$(grep -c '^dn:' "$W/pages") entries, $(grep -c '^result: 0' "$W/pages") times success, $(grep -c '^control: 1.2.840.113556.1.4.319' "$W/pages") controls"; }
fact "40 entries in pages of 20, asking for uid" "40 entries, 2 times success, 2 controls" "$(pages uid)"
fact "the same, asking for no attribute" "20 entries, 1 times success, 0 controls" "$(pages 1.1)"
verdict
