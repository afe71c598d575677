#!/bin/bash
# Expected: with num_retries Google's Python client tries again what Google's own pages call passing: quota answers.
# Fact: it tries 403 again for rateLimitExceeded and userRateLimitExceeded alone, and looks at the first of several errors. quotaExceeded
#   and a body whose status says RESOURCE_EXHAUSTED fail at once. And a 200 that is no JSON, such as the page of a proxy, is
#   returned as text, as if it were the answer.
# Why it matters: a nightly list of members ends at the first minute's quota; and `answer.get("members", [])` on text is an
#   error far from its cause.
# Source: Directory API, "Limits and quotas" and error responses. Versions are printed.
. "$(dirname "$0")/lib.sh"
python_with google-api-python-client==2.202.0
cat > "$W/a.py" <<'P'
import json, random
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import HttpMockSequence
def tries(first):
    net = HttpMockSequence([first, ({"status": "200", "content-type": "application/json"}, '{"members": []}')])
    request = build("admin", "directory_v1", http=net, static_discovery=True).members().list(groupKey="staff")
    request._sleep, request._rand = lambda _: None, lambda: 0
    try: answer = request.execute(num_retries=1)
    except HttpError: return "fails at once"
    return "tries again" if isinstance(answer, dict) else f"returns {type(answer).__name__}"
def refusal(*reasons, status=None): return {"status": "403", "content-type": "application/json"}, json.dumps({"error": {"code": 403, "message": "m", "status": status, "errors": [{"reason": r} for r in reasons]}})
for name, first in {
    "rateLimitExceeded": refusal("rateLimitExceeded"), "quotaExceeded": refusal("quotaExceeded"), "RESOURCE_EXHAUSTED": refusal(status="RESOURCE_EXHAUSTED"),
    "other, rateLimitExceeded": refusal("other", "rateLimitExceeded"), "200 with HTML": ({"status": "200", "content-type": "text/html"}, "<p>Please log in</p>"),
}.items(): print(f"{name}: {tries(first)}")
P
"$W/py/bin/python" "$W/a.py" > "$W/out" 2> "$W/err" || tail -3 "$W/err"
n=0
while IFS= read -r was; do n=$((n + 1)); fact "answer $n" "$was" "$(sed -n "${n}p" "$W/out")"; done <<'T'
rateLimitExceeded: tries again
quotaExceeded: fails at once
RESOURCE_EXHAUSTED: fails at once
other, rateLimitExceeded: fails at once
200 with HTML: returns str
T
verdict
