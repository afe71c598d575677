#!/bin/bash
# Expected: a PATCH of a group does the same to its members whichever library carries it out.
# Fact: `replace` without a path with a new list replaces the members in scim-patch and adds to them in scimmy. `remove` with a value
#   compares whole objects: with a `display` on one side only nobody is removed, without an error. In scim-patch that is so even if
#   the id alone is sent and the group has the name.
#   `replace` at a member that is not there makes one in scim-patch; scimmy refuses it, as the standard asks. To add
#   somebody who is in it already makes him a member twice in scimmy.
# Why it matters: the client is told 200, and the group has too many in it, or still has who was to leave.
# Source: RFC 7644 sections 3.5.2.1 to 3.5.2.3 (noTarget among them). Versions are printed.
. "$(dirname "$0")/lib.sh"
node_with scimmy@1.3.5 scim-patch@0.8.3
cat > "$W/a.mjs" <<'N'
import { createRequire } from 'module';
import SCIMMY from 'scimmy';
const { scimPatch } = createRequire(import.meta.url)('scim-patch');
const group = () => ({ schemas: ['urn:ietf:params:scim:schemas:core:2.0:Group'], displayName: 'staff', members: [{ value: '1' }, { value: '2', display: 'Bob' }], meta: {} });
const ids = g => g?.members?.map(m => m.value).join(',');
for (const op of [
  { op: 'replace', value: { members: [{ value: '7' }] } },
  { op: 'remove', path: 'members', value: [{ value: '2' }] },
  { op: 'remove', path: 'members', value: [{ value: '1', display: 'Ada' }] },
  { op: 'replace', path: 'members[value eq "9"].value', value: '9' },
  { op: 'add', path: 'members', value: [{ value: '1' }] },
]) {
  let first, second;
  try { first = ids(scimPatch(group(), [op])); } catch (e) { first = 'refused'; }
  try {
    const patch = new SCIMMY.Messages.PatchOp({ schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations: [op] });
    second = ids((await patch.apply(new SCIMMY.Schemas.Group(group()), x => x)) ?? group());
  } catch (e) { second = 'refused'; }
  console.log(first, '|', second);
}
N
(cd "$W" && node a.mjs) > "$W/out"
echo "members 1 and 2, of whom 2 has a display; scim-patch | scimmy:"
fact "replace without a path by 7" "7 | 1,2,7" "$(sed -n 1p "$W/out")"
fact "remove 2 by its id" "1,2 | 1" "$(sed -n 2p "$W/out")"
fact "remove 1 by its id and a display" "1,2 | 1,2" "$(sed -n 3p "$W/out")"
fact "replace the value of 9, who is not in it" "1,2,9 | refused" "$(sed -n 4p "$W/out")"
fact "add 1" "1,2 | 1,2,1" "$(sed -n 5p "$W/out")"
verdict
