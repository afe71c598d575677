"""Reads the stand-in of Google Workspace with Google's own client, and holds what was asked and answered to Google's description of
the API. Ends with 1 and a reason if they disagree.

check FACTS: reads it, and is refused. hold FACTS EXCHANGES: holds exchanges to the description. read FACTS: prints all that is there,
once for each line of its input."""

import json
import re
import sys
from urllib.parse import parse_qsl, unquote, urlsplit

import google_auth_httplib2
import httplib2
from google.auth.exceptions import RefreshError
from google.oauth2 import service_account
from googleapiclient import discovery, discovery_cache
from googleapiclient.errors import HttpError

mode, facts = sys.argv[1], json.load(open(sys.argv[2]))
SCOPES = ["https://www.googleapis.com/auth/admin.directory.user.readonly",
          "https://www.googleapis.com/auth/admin.directory.group.readonly"]


def check(what, ok):
    if not ok:
        sys.exit(f"Google's client disagrees: {what}")


def client(scopes=SCOPES, subject=None):
    credentials = service_account.Credentials.from_service_account_info(
        facts["key"], scopes=scopes, subject=subject or facts["admin"])
    http = google_auth_httplib2.AuthorizedHttp(credentials, http=httplib2.Http(ca_certs=facts["ca"]))
    return discovery.build("admin", "directory_v1", http=http, static_discovery=True,
                           client_options={"api_endpoint": facts["url"]})


def every(resource, name, **arguments):
    """All of a list, page by page, and how many pages there were."""
    request, items, pages = resource.list(**arguments), [], 0
    while request is not None:
        page = request.execute()
        pages += 1
        items += page.get(name, [])
        request = resource.list_next(request, page)
    return items, pages


def reading(directory):
    users, _ = every(directory.users(), "users", customer="my_customer", maxResults=500)
    groups, _ = every(directory.groups(), "groups", customer="my_customer")
    members = {group["id"]: every(directory.members(), "members", groupKey=group["id"])[0] for group in groups}
    return {
        "users": {user["id"]: [user["primaryEmail"], not (user["suspended"] or user["archived"])] for user in users},
        "groups": {group["id"]: [group["name"], [[one["type"], one["id"]] for one in members[group["id"]]]] for group in groups},
    }


def refused(what, ask, status, reason):
    try:
        ask()
    except HttpError as error:
        details = error.error_details
        said = details[0]["reason"] if isinstance(details, list) and details else None
        check(f"{what}: {error.status_code} {said}", (error.status_code, said) == (status, reason))
    else:
        check(f"{what} is refused", False)


def checks():
    directory = client()
    users, pages = every(directory.users(), "users", customer="my_customer", maxResults=3)
    check("pages are told apart", pages > 1 and len({user["id"] for user in users}) == len(users) == facts["users"])
    check("a custom schema is left out", all("customSchemas" not in user for user in users))
    custom, _ = every(directory.users(), "users", customer="my_customer", projection="custom", customFieldMask="Job")
    check("a custom schema is chosen", any(user.get("customSchemas", {}).keys() == {"Job"} for user in custom))
    domain, _ = every(directory.users(), "users", domain="corp.example")
    check("one domain is a part", 0 < len(domain) < len(users))
    deleted, _ = every(directory.users(), "users", customer="my_customer", showDeleted="true")
    check("who was deleted is listed by themselves", [one["id"] for one in deleted] == [facts["deleted"]])
    groups, _ = every(directory.groups(), "groups", customer="my_customer", maxResults=2)
    check("groups say how many are in them", all(isinstance(group["directMembersCount"], str) for group in groups))
    members, pages = every(directory.members(), "members", groupKey=facts["team"], maxResults=2)
    check("members come by pages", pages > 1 and {one["type"] for one in members} == {"USER", "GROUP", "CUSTOMER"})
    check("everybody has no address", all(("email" in one) == (one["type"] != "CUSTOMER") for one in members))
    empty = directory.members().list(groupKey=facts["empty"]).execute()
    check("an empty list is left out", "members" not in empty)
    part = directory.users().list(customer="my_customer", maxResults=1, fields="kind,nextPageToken,users(id,suspended)").execute()
    check("a part is chosen", set(part["users"][0]) == {"id", "suspended"} and "etag" not in part)
    one = directory.users().get(userKey=facts["admin"]).execute()
    check("one user is read by their address", one["customerId"] == facts["customer"])
    refused("who was deleted", lambda: directory.users().get(userKey=facts["deleted"]).execute(), 412, "conditionNotMet")
    refused("who was never there", lambda: directory.users().get(userKey="nobody@corp.example").execute(), 404, "notFound")
    refused("an unknown domain", lambda: directory.users().list(domain="other.example").execute(), 404, "domainNotFound")
    refused("an unknown customer", lambda: directory.users().list(customer="C0nobody").execute(), 400, "invalid")
    refused("too large a page", lambda: directory.users().list(customer="my_customer", maxResults=501).execute(), 400, "invalid")
    refused("a made-up page", lambda: directory.groups().list(customer="my_customer", pageToken="x").execute(), 400, "invalid")
    refused("an unknown field", lambda: directory.groups().list(customer="my_customer", fields="groups(shoe)").execute(),
            400, "invalidParameter")
    only_users = client(SCOPES[:1])
    refused("a scope that the token lacks", lambda: only_users.groups().list(customer="my_customer").execute(),
            403, "insufficientPermissions")
    for what, other, kind in (
            ("a scope that nobody delegated", client(["https://www.googleapis.com/auth/admin.directory.device.mobile"]), "unauthorized_client"),
            ("somebody who is not there", client(subject="nobody@corp.example"), "invalid_grant")):
        try:
            other.users().list(customer="my_customer").execute()
            check(f"{what} is refused", False)
        except RefreshError as error:
            check(f"{what}: {error}", kind in str(error))


# What follows knows no service, only the description of the API that Google's client brings.
API = json.loads(discovery_cache.get_static_doc("admin", "directory_v1"))


def methods(resources):
    for resource in resources.values():
        yield from resource.get("methods", {}).values()
        yield from methods(resource.get("resources", {}))


def method_of(verb, path):
    for method in methods(API["resources"]):
        pattern = re.escape(method["path"]).replace(r"\{", "{").replace(r"\}", "}")
        pattern = re.sub(r"\{\+?\w+\}", "[^/]+", pattern)
        if method["httpMethod"] == verb and re.fullmatch(pattern, path):
            return method
    return None


def conforms(value, schema, where):
    if "$ref" in schema:
        schema = API["schemas"][schema["$ref"]]
    kind = schema.get("type")
    if kind == "any":
        return
    types = {"string": str, "boolean": bool, "integer": int, "number": (int, float), "array": list, "object": dict}
    check(f"{where} is a {kind}: {value!r}", isinstance(value, types[kind]) and not (kind == "integer" and isinstance(value, bool)))
    if kind == "string" and schema.get("format") == "int64":
        check(f"{where} is a number: {value!r}", re.fullmatch(r"-?\d+", value))
    if kind == "string" and schema.get("format") == "date-time":
        check(f"{where} is a time: {value!r}", re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value))
    if kind == "array":
        for at, one in enumerate(value):
            conforms(one, schema["items"], f"{where}[{at}]")
    if kind == "object":
        for name, one in value.items():
            inner = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
            check(f"{where} has no {name}", inner)
            conforms(one, inner, f"{where}.{name}")


def selected(fields, schema, where):
    """Holds a choice of fields, `a,b(c,d)`, to what there is."""
    if "$ref" in schema:
        schema = API["schemas"][schema["$ref"]]
    for name, inner in re.findall(r"(\w+)(?:\(([^()]*)\))?", fields):
        found = schema.get("properties", {}).get(name)
        check(f"{where} asks for {name}, which is not there", found)
        if inner:
            selected(inner, found.get("items", found), f"{where}.{name}")


def holds(method, query, where):
    for name, value in query:
        parameter = method.get("parameters", {}).get(name) or API["parameters"].get(name)
        check(f"{where} has no parameter {name}", parameter and parameter.get("location") == "query")
        if parameter["type"] == "integer":
            check(f"{where}: {name}={value}", value.isdigit())
            check(f"{where}: {name}={value}", int(value) >= int(parameter.get("minimum", 0)))
            check(f"{where}: {name}={value}", int(value) <= int(parameter.get("maximum", 1 << 31)))
            most = re.search(r"Max allowed value is (\d+)", parameter.get("description", ""))
            check(f"{where}: {name}={value}", not most or int(value) <= int(most.group(1)))
        if parameter["type"] == "boolean":
            check(f"{where}: {name}={value}", value in ("true", "false"))
        if "enum" in parameter:
            check(f"{where}: {name}={value}", value in parameter["enum"])
        if name == "fields":
            selected(value, method["response"], where)


def hold(exchanges):
    held, refusals = {}, 0
    for verb, target, status, body in exchanges:
        url = urlsplit(target)
        if not url.path.startswith("/admin/"):
            continue
        method = method_of(verb, url.path.lstrip("/"))
        check(f"there is no method {verb} {url.path}", method)
        where = f"{method['id']} {unquote(url.query)}"
        if status != 200:
            refusals += 1
            error = json.loads(body)["error"]
            check(f"{where} is refused in Google's form", error["code"] == status and error["errors"][0]["reason"])
            continue
        holds(method, parse_qsl(url.query, keep_blank_values=True), where)
        conforms(json.loads(body), method["response"], where)
        held[method["id"]] = held.get(method["id"], 0) + 1
    wanted = {f"directory.{name}" for name in facts["methods"]}
    check(f"not all were asked: {held}", set(held) >= wanted)
    print(json.dumps({"held": held, "refusals": refusals}))


if mode == "check":
    checks()
elif mode == "hold":
    hold(json.load(open(sys.argv[3])))
else:
    directory = client()
    for _ in sys.stdin:
        print(json.dumps(reading(directory)), flush=True)
