#!/bin/bash
# Expected: an entry has each attribute once, with all its values, however the lines of the LDIF stood that it was loaded from.
# Fact: if another attribute stands between two lines of `mail`, slapadd -q stores `mail` twice, and the server sends it twice in one
#   entry from then on, which the protocol forbids; a filter finds the values of both. Without -q slapadd
#   joins them. What clients make of it: ldapsearch prints both parts, python-ldap has the first part twice, net-ldap (Ruby) and
#   Net::LDAP (Perl) have the last alone.
# Why it matters: exports of others (sorted by hand, joined by a script) have such lines. The same person has another address
#   for each client, and none says a word.
# Source: RFC 4511 section 4.1.7 (no two with the same description); RFC 2849; slapadd(8), -q. Versions are printed.
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils python3-ldap ruby ruby-net-ldap libnet-ldap-perl
{ company; person ada 'title: countess\nmail: lovelace@example.test\n'; } > "$W/data.ldif"
slapd_start "$W/data.ldif"
export URL PORT=${URL##*:} BASE=dc=example,dc=test
fact "ldapsearch: the order of her lines" "mail: ada@example.test title: countess mail: lovelace@example.test" "$(as_admin ldapsearch -LLL -b $BASE '(uid=ada)' | grep -E '^(mail|title)' | xargs)"
fact "found by (mail=lovelace@example.test)" 1 "$(as_admin ldapsearch -LLL -b $BASE '(mail=lovelace@example.test)' 1.1 | grep -c ^dn)"
fact "python-ldap" "[b'ada@example.test', b'ada@example.test']" "$(/usr/bin/python3 -c 'import ldap, os; l = ldap.initialize(os.environ["URL"]); l.simple_bind_s("", ""); print(l.search_s(os.environ["BASE"], ldap.SCOPE_SUBTREE, "(uid=ada)")[0][1]["mail"])')"
fact "net-ldap" '["lovelace@example.test"]' "$(ruby -e 'require "net/ldap"; p Net::LDAP.new(host: "127.0.0.1", port: ENV["PORT"]).search(base: ENV["BASE"], filter: Net::LDAP::Filter.eq("uid", "ada")).first[:mail]')"
fact "Net::LDAP" "lovelace@example.test" "$(perl -MNet::LDAP -e 'print join " ", Net::LDAP->new($ENV{URL})->search(base => $ENV{BASE}, filter => "(uid=ada)")->entry(0)->get_value("mail")')"
mkdir "$W/careful"
sed "s|^directory .*|directory $W/careful|" "$SLAPD_CONF" > "$W/careful.conf"
/usr/sbin/slapadd -f "$W/careful.conf" -l "$W/data.ldif" 2> /dev/null
fact "loaded without -q" "mail: ada@example.test mail: lovelace@example.test title: countess" "$(/usr/sbin/slapcat -f "$W/careful.conf" -a '(uid=ada)' | grep -E '^(mail|title)' | xargs)"
verdict
