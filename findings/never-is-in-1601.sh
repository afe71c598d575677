#!/bin/bash
# Expected: an account that never expires has no date of expiry in what a library makes of `accountExpires`.
# Fact: Active Directory has two numbers for never, 0 and 9223372036854775807. ldap3 (Python) makes of the first the year 1601, and of the
#   second the end of 9999, as soon as it knows the schema. A domain controller gives new users the second, and tools
#   that clear the field write the first.
# Why it matters: `expires < now` is true for everybody who has the 0: all of them are leavers.
# Source: MS-ADTS, accountExpires. Seen with ldap3 2.9.1 and Samba 4.17.12.
. "$(dirname "$0")/lib.sh"
packages "${SAMBA[@]}"
python_with ldap3==2.9.1
samba_start
for u in ada bob; do printf 'dn: CN=%s,CN=Users,%s\nobjectClass: user\nsAMAccountName: %s\n\n' $u "$DOMAIN" $u; done | in_domain ldapadd > /dev/null
printf 'dn: CN=bob,CN=Users,%s\nchangetype: modify\nreplace: accountExpires\naccountExpires: 0\n' "$DOMAIN" | in_domain ldapmodify > /dev/null
cat > "$W/a.py" <<'P'
import datetime, ssl, sys, ldap3
url, ca, domain = sys.argv[1:]
now = datetime.datetime.now(datetime.timezone.utc)
server = ldap3.Server(url, tls=ldap3.Tls(ca_certs_file=ca, validate=ssl.CERT_REQUIRED))
c = ldap3.Connection(server, "ADTEST\\Administrator", "Passw0rd.Admin!", auto_bind=True)
for name in ("ada", "bob"):
    c.search(domain, f"(sAMAccountName={name})", attributes=["accountExpires"])
    entry = [e for e in c.entries][0]
    print(entry.accountExpires.raw_values[0].decode(), entry.accountExpires.value.year, entry.accountExpires.value < now)
P
"$W/py/bin/python" "$W/a.py" "$URL" "$W/ca.pem" "$DOMAIN" > "$W/out"
fact "a new user: the number, the year, whether it is past" "9223372036854775807 9999 False" "$(sed -n 1p "$W/out")"
fact "one whose expiry was cleared" "0 1601 True" "$(sed -n 2p "$W/out")"
verdict
