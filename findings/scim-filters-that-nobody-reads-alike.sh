#!/bin/bash
# Expected: libraries for SCIM filters agree on whether one user is found by one valid filter.
# Fact: of ten filters three JavaScript libraries agree on four. `userName` is not case sensitive by its schema and `externalId` is:
#   scimmy and scim2-parse-filter compare both exactly, scim-query-filter-parser neither. An attribute with
#   its URN, `not (...)`, `eq null` and the bare name of a multi-valued attribute are each read in two ways or more.
# Why it matters: a client that looks for `Ada` before it creates `ada` may find nobody at one server, and be told at
#   the next step that she exists; a filter must be tried at each server before its "none" is believed.
# Source: RFC 7643 section 4.1.1 (userName, caseExact), RFC 7644 section 3.4.2.2. Versions are printed.
. "$(dirname "$0")/lib.sh"
node_with scimmy@1.3.5 scim2-parse-filter@0.2.10 scim-query-filter-parser@2.0.4
cat > "$W/a.mjs" <<'N'
import { createRequire } from 'module';
import SCIMMY from 'scimmy';
const require = createRequire(import.meta.url);
const one = require('scim2-parse-filter'), two = require('scim-query-filter-parser');
const enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
const user = {
  userName: 'Ada', externalId: 'x1', active: true,
  emails: [{ type: 'work', value: 'ada@example.test', primary: true }, { type: 'home', value: 'home@example.test' }],
  [enterprise]: { department: 'IT' },
};
const readers = [t => new SCIMMY.Types.Filter(t).match([user]).length > 0, t => one.filter(one.parse(t))(user), t => !!two.compileFilter(t)(user)];
for (const t of ['userName EQ "Ada"', 'emails.value co "home"', 'emails.value eq "nobody@example.test"', 'userName eq "ada"', 'externalId eq "X1"', 'emails[type eq "work" and primary eq true]', 'emails eq "ada@example.test"',
  `${enterprise}:department eq "IT"`, 'not (userName eq "eve")', 'title eq null']) {
  const says = readers.map(read => { try { return read(t) ? 'found' : 'not'; } catch { return 'refused'; } });
  console.log(t.replace(enterprise, 'URN'), '->', says.join(' '));
}
N
(cd "$W" && node a.mjs) > "$W/out"
echo "scimmy, scim2-parse-filter, scim-query-filter-parser:"
n=0
while IFS= read -r was; do
  n=$((n + 1))
  fact "filter $n" "$was" "$(sed -n "${n}p" "$W/out")"
done <<'T'
userName EQ "Ada" -> found found found
emails.value co "home" -> found found found
emails.value eq "nobody@example.test" -> not not not
userName eq "ada" -> not not found
externalId eq "X1" -> not not found
emails[type eq "work" and primary eq true] -> found found found
emails eq "ada@example.test" -> refused not found
URN:department eq "IT" -> not found refused
not (userName eq "eve") -> found found refused
title eq null -> found not not
T
verdict
