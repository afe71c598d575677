#!/bin/bash
# Expected: the same entry, asked for in the same way, looks the same from every LDAP server.
# Fact: three servers, three answers. Asked for `MAIL`, OpenLDAP and Samba call it `mail`, 389 calls it `MAIL`. Asked for `name`,
#   which cn and sn are kinds of, OpenLDAP sends both and the others none of them. Asked for whoever is not
#   `noSuchAttribute=TRUE`, OpenLDAP finds nobody, since it cannot know, and the others find everybody.
# Why it matters: a typing error in a filter such as (!(nsAcountLock=TRUE)) takes all people away at one server and lets the locked
#   ones in at the other; and a reader that compares attribute names by their letters loses the address at 389.
# Source: RFC 4511 section 4.5.1.7 (Undefined) and 4.5.1.8 (subtypes), RFC 4512 section 2.5 (names without regard to case).
#   Seen with slapd 2.5.13, 389-ds-base 2.3.1, Samba 4.17.12.
. "$(dirname "$0")/lib.sh"
packages slapd 389-ds-base python3-lib389 "${SAMBA[@]}"
{ company; person ada; person bob; } > "$W/data.ldif"
seen() { # seen FUNCTION BASE: how MAIL and the kinds of `name` are called, and how many are found
  local as=$1 base=$2
  $as ldapsearch -LLL -b "$base" '(uid=ada)' MAIL 2> /dev/null | sed -n 's/^\(mail\):.*/\1/ip'
  $as ldapsearch -LLL -b "$base" '(uid=ada)' name 2> /dev/null | sed -n 's/^\(cn\|sn\):.*/\1/ip' | sort | xargs
  $as ldapsearch -LLL -b "$base" '(&(uid=*)(!(noSuchAttribute=TRUE)))' 1.1 2> /dev/null | grep -c '^dn' || true
}
slapd_start "$W/data.ldif"
fact "OpenLDAP: MAIL is called, name brings, found" "mail|cn sn|0" "$(seen as_admin dc=example,dc=test | paste -sd'|')"
dirsrv_start
as_manager ldapadd -f "$W/data.ldif" > /dev/null
fact "389: the same" "MAIL||2" "$(seen as_manager dc=example,dc=test | paste -sd'|')"
samba_start
for u in ada bob; do printf 'dn: CN=%s,CN=Users,%s\nobjectClass: user\nsAMAccountName: %s\nuid: %s\nsn: Example\nmail: %s@example.test\n\n' $u "$DOMAIN" $u $u $u; done | in_domain ldapadd > /dev/null
fact "Samba: the same" "mail||2" "$(seen in_domain "$DOMAIN" | paste -sd'|')"
verdict
