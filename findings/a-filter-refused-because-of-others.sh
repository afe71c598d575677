#!/bin/bash
# Expected: a filter on a part of an attribute with several values (`emails.value eq "x"`) finds who has it and passes over who has no
#   such attribute.
# Fact: in scimmy one user without addresses makes the filter a TypeError, so that the one who has the address is not found, with
#   `emails[value eq "x"]` too. Its routers answer 400 invalidValue.
# Why it matters: a client that looks for somebody before it creates them takes the 400 for "this service has no such filter", or
#   for an address that is none, and makes a second account. Whether it fails depends on users who are not asked for.
# Source: RFC 7644 section 3.4.2.2 (a filter on an attribute that a resource lacks does not match). Versions are printed.
. "$(dirname "$0")/lib.sh"
node_with scimmy@1.3.5
cat > "$W/a.mjs" <<'N'
import SCIMMY from 'scimmy';
const ada = { id: '1', userName: 'ada', emails: [{ value: 'ada@example.test' }] };
const bob = { id: '2', userName: 'bob' };
for (const filter of ['emails.value eq "ada@example.test"', 'emails[value eq "ada@example.test"]', 'userName eq "ada"']) {
  for (const users of [[ada], [ada, bob]]) {
    let said;
    try { said = new SCIMMY.Types.Filter(filter).match(users).map(user => user.userName).join(',') || 'nobody'; } catch (error) { said = `${error.name}: ${error.message}`; }
    console.log(said);
  }
}
N
(cd "$W" && node a.mjs) > "$W/out"
said='TypeError: Cannot convert undefined or null to object'
fact 'emails.value, all have addresses' "ada" "$(sed -n 1p "$W/out")"
fact 'emails.value, one has none' "$said" "$(sed -n 2p "$W/out")"
fact 'emails[value], all have addresses' "ada" "$(sed -n 3p "$W/out")"
fact 'emails[value], one has none' "$said" "$(sed -n 4p "$W/out")"
fact 'userName' "ada ada" "$(sed -n 5,6p "$W/out" | paste -sd ' ')"
verdict
