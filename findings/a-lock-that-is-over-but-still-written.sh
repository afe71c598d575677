#!/bin/bash
# Expected: an account is locked while it has `pwdAccountLockedTime`, as the name says.
# Fact: with pwdLockoutDuration OpenLDAP lets the person in again when the time is over, and leaves the attribute there until somebody
#   logs in well. Whoever stays away stays "locked" in every copy; and a lock that was set by hand for ever (000001010000Z) differs from
#   it in nothing but the year.
# Why it matters: a rule "disabled while pwdAccountLockedTime is there" disables, for weeks, those who mistyped three times before their holiday.
# Source: slapo-ppolicy(5), pwdLockoutDuration and pwdAccountLockedTime. Seen with slapd 2.5.13.
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils
{
  company; person ada 'userPassword: secret\n'
  printf 'dn: cn=policy,dc=example,dc=test\nobjectClass: device\nobjectClass: pwdPolicy\ncn: policy\npwdAttribute: userPassword\npwdLockout: TRUE\npwdMaxFailure: 1\npwdLockoutDuration: 2\n\n'
} > "$W/data.ldif"
slapd_start "$W/data.ldif" 'moduleload ppolicy' 'overlay ppolicy\nppolicy_default cn=policy,dc=example,dc=test'
ada=uid=ada,ou=people,dc=example,dc=test
login() { ldapwhoami -x -H "$URL" -D $ada -w "$1" > /dev/null 2>&1 && echo in || echo out; }
locked() { as_admin ldapsearch -LLL -b $ada -s base pwdAccountLockedTime | grep -c '^pwdAccountLockedTime' || true; }
login wrong > /dev/null
fact "after a wrong password: login with the right one, the attribute" "out 1" "$(login secret) $(locked)"
sleep 3.1 # the lock lasts two seconds; the server has no other clock
fact "when the lock is over: the attribute" 1 "$(locked)"
fact "login with the right password, and the attribute after it" "in 0" "$(login secret) $(locked)"
verdict
