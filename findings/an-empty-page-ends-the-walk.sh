#!/bin/bash
# Expected: a walk over the pages of Microsoft Graph goes on as long as a page names the next one.
# Fact: the page iterator of Microsoft's Python library ends at a page without entries, though that page has a next link, and says
#   nothing. Microsoft's JavaScript library goes on. Graph sends empty pages between full ones where a filter leaves
#   nothing of a page, and on delta queries.
# Why it matters: everybody after the empty page looks deleted.
# Source: Microsoft Graph, "Paging" (a response can have no entries and a next link; ask until there is none). Versions are printed.
. "$(dirname "$0")/lib.sh"
python_with msgraph-core==1.5.2
node_with @microsoft/microsoft-graph-client@3.0.7
cat > "$W/a.py" <<'P'
import asyncio
from types import SimpleNamespace as Page
from msgraph_core.tasks.page_iterator import PageIterator
pages = {f"https://graph.example.test/{n}": p for n, p in {2: Page(odata_next_link="https://graph.example.test/3", value=[]), 3: Page(odata_next_link=None, value=["bob"])}.items()}
class Adapter:
    async def send_async(self, request, *_): return pages[request.url]
seen = []
asyncio.run(PageIterator(Page(odata_next_link="https://graph.example.test/2", value=["ada"]), Adapter()).iterate(lambda one: seen.append(one) or True))
print(*seen)
P
fact "who is seen on the pages (ada), (), (bob): Python" "ada" "$("$W/py/bin/python" "$W/a.py")"
cat > "$W/a.js" <<'N'
const { PageIterator } = require('@microsoft/microsoft-graph-client');
const pages = { 2: { value: [], '@odata.nextLink': '3' }, 3: { value: ['bob'] } };
const client = { api: n => ({ headers() { return this; }, options() { return this; }, middlewareOptions() { return this; }, get: async () => pages[n] }) };
const seen = [];
new PageIterator(client, { value: ['ada'], '@odata.nextLink': '2' }, one => { seen.push(one); return true; }).iterate().then(() => console.log(...seen));
N
fact "the same: JavaScript" "ada bob" "$(cd "$W" && node a.js)"
verdict
