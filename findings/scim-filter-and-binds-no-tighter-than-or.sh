#!/bin/bash
# Expected: in a SCIM filter `and` binds tighter than `or`, as the standard says.
# Fact: scim2-filter-parser (Python; it is what django-scim2 answers filters with) reads `a or b and c` as `(a or b) and c`. A
#   condition on an attribute that it has no column for is dropped without a word, so that `userName eq "ada" and costCenter
#   eq "7"` finds ada whatever her cost center is. The JavaScript libraries scimmy and scim2-parse-filter read `a or (b and c)`.
# Why it matters: who looks somebody up before creating him is answered with somebody else, or with nobody, and adopts or doubles.
# Source: RFC 7644 section 3.4.2.2 (order of operations; an attribute that is not there). Versions are printed.
. "$(dirname "$0")/lib.sh"
python_with scim2-filter-parser==0.7.0
node_with scimmy@1.3.5 scim2-parse-filter@0.2.10
cat > "$W/a.py" <<'P'
from scim2_filter_parser.queries import SQLQuery
columns = {("userName", None, None): "u.name", ("title", None, None): "u.title", ("active", None, None): "u.active"}
for text in ('title pr or userName eq "eve" and active eq false', 'userName eq "ada" and costCenter eq "7"'):
    print(" ".join(SQLQuery(text, "users", columns, ()).where_sql.split()))
P
"$W/py/bin/python" "$W/a.py" > "$W/py.out"
fact "scim2-filter-parser: a or b and c" "((u.title IS NOT NULL) OR (UPPER(u.name) = UPPER({b}))) AND (u.active = {c})" "$(sed -n 1p "$W/py.out")"
fact "scim2-filter-parser: a known condition and an unknown one" "UPPER(u.name) = UPPER({a})" "$(sed -n 2p "$W/py.out")"
cat > "$W/a.mjs" <<'N'
import { createRequire } from 'module';
import SCIMMY from 'scimmy';
const { parse, filter } = createRequire(import.meta.url)('scim2-parse-filter');
const user = { userName: 'ada', title: 'countess', active: true };
const texts = ['title pr or userName eq "eve" and active eq false', 'userName eq "ada" and costCenter eq "7"'];
console.log(texts.map(t => new SCIMMY.Types.Filter(t).match([user]).length > 0).join(' '), texts.map(t => filter(parse(t))(user)).join(' '));
N
fact "scimmy and scim2-parse-filter: whether a user with a title, active, is found by the first; by the second" "true false true false" "$(cd "$W" && node a.mjs)"
verdict
