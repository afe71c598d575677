#!/bin/bash
# Expected: who was deleted is in no group any more, and nobody can be made a member who does not exist.
# Fact: scim2-server takes an id that nobody has as a member, with 204, and keeps who was deleted in the lists of their groups, whose
#   address answers 404.
# Why it matters: a client that ends memberships by deleting the user leaves the id behind: it counts in the group's size, and whoever
#   reads the group finds a member who is not there. A misspelled id looks as if it had been added.
# Source: RFC 7643 section 4.2 (members are resources of the service). Versions are printed.
. "$(dirname "$0")/lib.sh"
python_with scim2-server==0.8.3
PORT=$(free_port)
"$W/py/bin/scim2-server" --port "$PORT" > "$W/server.log" 2>&1 &
PIDS+=($!)
U=http://127.0.0.1:$PORT/v2
until_true 20 curl -fsS "$U/ServiceProviderConfig"
send() { curl -sS -X "$1" -H "Content-Type: application/scim+json" "$U/$2" ${3:+-d "$3"} -w "\n%{http_code}"; }
id() { python3 -c "import json, sys; print(json.loads(sys.stdin.readline())[\"id\"])"; }
user=$(send POST Users "{\"schemas\": [\"urn:ietf:params:scim:schemas:core:2.0:User\"], \"userName\": \"ada\"}" | id)
group=$(send POST Groups "{\"schemas\": [\"urn:ietf:params:scim:schemas:core:2.0:Group\"], \"displayName\": \"team\", \"members\": [{\"value\": \"$user\"}]}" | id)
patch="{\"schemas\": [\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"], \"Operations\": [{\"op\": \"add\", \"path\": \"members\", \"value\": [{\"value\": \"nobody\"}]}]}"
fact "a member that nobody is" "204" "$(send PATCH "Groups/$group" "$patch" | tail -1)"
fact "the user is deleted" "204 404" "$(send DELETE "Users/$user" | tail -1) $(send GET "Users/$user" | tail -1)"
left=$(send GET "Groups/$group" | head -1 | python3 -c "import json, sys; print(*[m['value'].replace('$user', 'the deleted user') for m in json.load(sys.stdin)['members']], sep=', ')")
fact "members of the group then" "the deleted user, nobody" "$left"
verdict
