#!/bin/bash
# Expected: as long as an access token is valid, a client library hands it out, also when it cannot be renewed just now.
# Fact: google-auth throws in the last 3 min 45 s of a token when its renewal fails. msal, once the time is past at which the
#   server advised to renew, throws on a 500 and hands the old token out on a 400: the graver answer is the milder one.
# Why it matters: a token endpoint that is away for two minutes stops a sync whose token was good for three more.
# Source: google.auth.credentials (before_request); OAuth 2.0, RFC 6749 section 5.1 (expires_in). Versions are printed.
. "$(dirname "$0")/lib.sh"
python_with google-auth==2.62.2 msal==1.39.0 requests==2.32.5
cat > "$W/g.py" <<'P'
import datetime, sys
from google.auth import exceptions
from google.oauth2 import credentials
class Answer: status, headers, data = 503, {}, b"{}"
now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
for left in (300, 200):
    c = credentials.Credentials("good", refresh_token="r", token_uri="http://127.0.0.1:1/token", client_id="i", client_secret="s", expiry=now + datetime.timedelta(seconds=left))
    headers = {}
    try: c.before_request(lambda **_: Answer, "GET", "http://127.0.0.1:1/", headers); print(left, headers["authorization"])
    except exceptions.RefreshError: print(left, "RefreshError")
P
"$W/py/bin/python" "$W/g.py" > "$W/g.out"
fact "google-auth, renewal answered with 503, 300 s left" "300 Bearer good" "$(sed -n 1p "$W/g.out")"
fact "the same, 200 s left" "200 RefreshError" "$(sed -n 2p "$W/g.out")"
cat > "$W/m.py" <<'P'
import json, time, msal
class Answer:
    headers = {}
    def __init__(self, status, body): self.status_code, self.text = status, json.dumps(body)
    def raise_for_status(self): raise RuntimeError(self.status_code)
class Net:
    def __init__(self, renewal): self.answers = [Answer(200, {"access_token": "good", "expires_in": 3600, "refresh_in": 1, "token_type": "Bearer"}), renewal]
    def get(self, *_, **__): return Answer(200, {"authorization_endpoint": "https://login.example.test/a", "token_endpoint": "https://login.example.test/t", "issuer": "https://login.example.test/x"})
    def post(self, *_, **__): return self.answers.pop(0)
    def close(self): pass
for status in (400, 500):
    app = msal.ConfidentialClientApplication("client", client_credential="secret", authority="https://login.example.test/x", instance_discovery=False, http_client=Net(Answer(status, {"error": "temporarily_unavailable"})))
    app.acquire_token_for_client(["https://graph.example.test/.default"])
    time.sleep(1.2)  # until refresh_in is past
    try: print(status, app.acquire_token_for_client(["https://graph.example.test/.default"]).get("access_token"))
    except Exception as e: print(status, type(e).__name__)
P
"$W/py/bin/python" "$W/m.py" > "$W/m.out" 2> "$W/m.err" || tail -3 "$W/m.err"
fact "msal, renewal answered with 400, an hour left" "400 good" "$(sed -n 1p "$W/m.out")"
fact "the same with 500" "500 MsalServiceError" "$(sed -n 2p "$W/m.out")"
verdict
