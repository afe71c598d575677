#!/bin/bash
# Expected: `cn;lang-ja` is an attribute beside `cn`, which can be added and removed without touching it.
# Fact: ApacheDS keeps one attribute for both. An entry that is added with cn and cn;lang-ja has both values under `cn;lang-ja` and
#   no cn; who adds cn;lang-ja later makes a second cn; and who deletes title;lang-ja, which nobody has, deletes the title.
# Why it matters: the tool that writes translations renames people, or takes away what it was not asked for, and answers success.
# Source: RFC 4512 section 2.5.2 (tagging options), RFC 3866. Seen with ApacheDS 2.0.0.AM27.
. "$(dirname "$0")/lib.sh"
packages "${JAVA[@]}"
apacheds_start
{ company; person ada 'cn;lang-ja: eida\n'; person bob 'title: boss\n'; } | as_system ldapadd > /dev/null
shows() { as_system ldapsearch -LLL -b "uid=$1,ou=people,dc=example,dc=test" '(uid=*)' | grep -E "^$2" | sort | paste -sd'|'; }
fact "who came with cn and cn;lang-ja" "cn;lang-ja: ada Example|cn;lang-ja: eida" "$(shows ada cn)"
printf '%s\n' 'dn: uid=bob,ou=people,dc=example,dc=test' 'changetype: modify' 'add: cn;lang-ja' 'cn;lang-ja: bobu' | as_system ldapmodify > /dev/null
fact "who got cn;lang-ja later" "cn: bob Example|cn: bobu" "$(shows bob cn)"
fact "his title" "title: boss" "$(shows bob title)"
printf '%s\n' 'dn: uid=bob,ou=people,dc=example,dc=test' 'changetype: modify' 'delete: title;lang-ja' | as_system ldapmodify > /dev/null
fact "his title after title;lang-ja was deleted" "" "$(shows bob title || true)"
verdict
