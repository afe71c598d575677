#!/bin/bash
# Expected: changing a number in a user's entry (`primaryGroupID`) changes the user's entry.
# Fact: the domain controller takes him out of `member` of the group that becomes the primary one, and puts him into that of the
#   one that was. Both groups have changed, and neither names him twice. `memberOf` follows: the new primary group
#   leaves it, the former comes.
# Why it matters: he is in both groups before and after, but half of each is in a list and half in a number. Who reads lists
#   alone sees him leave a group that he has just been bound to.
# Source: MS-SAMR, triggers for originating updates (primaryGroupId). Seen with Samba 4.17.12.
. "$(dirname "$0")/lib.sh"
packages "${SAMBA[@]}"
samba_start
user=CN=ada,CN=Users,$DOMAIN group=CN=staff,CN=Users,$DOMAIN everyone="CN=Domain Users,CN=Users,$DOMAIN"
printf 'dn: %s\nobjectClass: user\nsAMAccountName: ada\n\ndn: %s\nobjectClass: group\nsAMAccountName: staff\nmember: %s\n\n' "$user" "$group" "$user" | in_domain ldapadd > /dev/null
usn() { value uSNChanged "$1"; }
staff=$(usn "$group") all=$(usn "$everyone")
fact "before: members of staff, of Domain Users; memberOf" "$user|/|$group" "$(value member "$group")|/$(value member "$everyone")|$(value memberOf "$user")"
printf 'dn: %s\nchangetype: modify\nreplace: primaryGroupID\nprimaryGroupID: %s\n' "$user" "$(value primaryGroupToken "$group")" | in_domain ldapmodify > /dev/null
fact "after: members of staff, of Domain Users; memberOf" "|/$user|$everyone" "$(value member "$group")|/$(value member "$everyone")|$(value memberOf "$user")"
fact "whether uSNChanged of both groups rose" "yes yes" "$([ "$(usn "$group")" -gt "$staff" ] && echo yes) $([ "$(usn "$everyone")" -gt "$all" ] && echo yes)"
verdict
