#!/bin/bash
# Expected: syncrepl (RFC 4533) says "deleted" of entries that were deleted, or left what the search asks for.
# Fact: with its session log, OpenLDAP's syncprov says it of each entry that changed and that the reader may not see by now. Nothing in
#   the answer tells such an entry from one that is gone; one that is hidden and did not change is not told of at all.
# Why it matters: a consumer that believes it disables people because an access rule changed, and just those who changed since.
# Source: RFC 4533 section 3.4 (deletes), slapo-syncprov(5) (syncprov-sessionlog). Versions are printed.
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils python3-ldap
reader='uid=reader,ou=people,dc=example,dc=test'
{ company; person reader 'userPassword: secret\n'; for who in ada bob cyd; do person $who; done; } > "$W/data.ldif"
slapd_start "$W/data.ldif" 'moduleload syncprov' "overlay syncprov\nsyncprov-sessionlog 100\naccess to dn.subtree=ou=people,dc=example,dc=test filter=(employeeType=secret) by dn.exact=$reader none by * read\naccess to * by * read"
export URL BASE=dc=example,dc=test READER=$reader
cat > "$W/a.py" <<'P'
import json, os, sys, ldap
from ldap.ldapobject import SimpleLDAPObject
from ldap.syncrepl import SyncreplConsumer
state = os.environ["STATE"]
known = json.load(open(state)) if os.path.exists(state) else {"cookie": None, "called": {}}
class Consumer(SimpleLDAPObject, SyncreplConsumer):
    deleted = []
    def syncrepl_get_cookie(self): return known["cookie"]
    def syncrepl_set_cookie(self, cookie): known["cookie"] = cookie
    def syncrepl_entry(self, dn, attrs, uuid): known["called"][uuid] = dn.split(",")[0]
    def syncrepl_present(self, uuids, refreshDeletes=False): pass
    def syncrepl_delete(self, uuids): self.deleted += uuids
    def syncrepl_refreshdone(self): pass
c = Consumer(os.environ["URL"])
c.simple_bind_s(os.environ["READER"], "secret")
said = c.syncrepl_search(os.environ["BASE"], ldap.SCOPE_SUBTREE, mode="refreshOnly", filterstr="(objectClass=inetOrgPerson)")
while c.syncrepl_poll(msgid=said, all=0): pass
print(*sorted(known["called"].get(uuid, uuid) for uuid in c.deleted))
json.dump(known, open(state, "w"))
P
export STATE=$W/state.json
fact "the first read says of nobody that they were deleted" "" "$(/usr/bin/python3 "$W/a.py")"
{
  printf 'dn: uid=%s,ou=people,dc=example,dc=test\nchangetype: modify\nreplace: employeeType\nemployeeType: secret\n\n' ada
  printf 'dn: uid=%s,ou=people,dc=example,dc=test\nchangetype: delete\n\n' bob
} | as_admin ldapmodify > /dev/null
fact "ada is hidden, bob was deleted: whom it says to be deleted" "uid=ada uid=bob" "$(/usr/bin/python3 "$W/a.py")"
fact "whom the administrator finds" "ada cyd reader" "$(as_admin ldapsearch -LLL -b "$BASE" '(objectClass=inetOrgPerson)' uid | sed -n 's/^uid: //p' | sort | xargs)"
verdict
