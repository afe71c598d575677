"""Reads a registry over SCIM with a client that is not ours (scim2-client) and judges it with a tester that is not ours
(scim2-tester). Of the tester's checks those run that a read-only service must pass:

- discovery (ServiceProviderConfig, ResourceTypes, Schemas, the methods they refuse) and misc (an unknown URL is a SCIM
  error), as they are;
- crud:read and crud:read:attributes, with resources that are there in place of ones that the tester would create.

Left out are crud:create, crud:update and crud:delete and the PATCH checks: all of them write. That writes are refused
is asserted below, with the same client.

Every response is validated by the client's models against the schemas that the service publishes.

Usage: scim.py URL, with the token in SCIM_TOKEN. Prints a line for each check; exits 1 if one failed.
"""

import os
import sys

import httpx2
from scim2_client import SCIMClientException
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import ListResponse, Path, ResponseParameters, SCIMException, SearchRequest
from scim2_tester import Status, check_server
from scim2_tester.checkers.resource_get import object_query, object_query_without_id
from scim2_tester.checkers.resource_query_attributes import (
    object_list_with_attributes,
    object_query_with_attributes,
    search_with_attributes,
)
from scim2_tester.utils import CheckConfig, CheckContext

failed = 0


def say(right, what):
    global failed
    failed += not right
    print("ok  " if right else "FAIL", what)


def refuses(what, statuses, request):
    try:
        request()
        say(False, f"{what} was not refused")
    except (SCIMException, SCIMClientException) as error:
        status = getattr(getattr(error, "source", None), "status_code", None) or getattr(error, "status", None)
        say(status in statuses, f"{what} is refused with {status}")


class Existing:
    """In place of the tester's manager, which would create what it then reads."""

    def __init__(self, client):
        self.client = client

    def create_and_register(self, model, fill_all=False):
        return self.client.query(model).resources[0]

    def cleanup(self):
        """Nothing was created."""


http = httpx2.Client(base_url=sys.argv[1], headers={"Authorization": f"Bearer {os.environ['SCIM_TOKEN']}"}, timeout=60)
client = SyncSCIMClient(http)

results = check_server(client, include_tags={"discovery", "misc"})
context = CheckContext(client, CheckConfig())
context.resource_manager = Existing(client)
models = {kind.name: client.provider.model_for(kind) for kind in client.provider.resource_types}
for model in models.values():
    for check in (
        object_query,
        object_query_without_id,
        object_query_with_attributes,
        object_list_with_attributes,
        search_with_attributes,
    ):
        results.extend(check(context, model))
for result in results:
    fine = result.status not in (Status.ERROR, Status.CRITICAL, Status.DEVIATION)
    say(fine, f"{result.status.name} {result.title}: {result.reason}")
succeeded = sum(result.status == Status.SUCCESS for result in results)
say(succeeded >= 15, f"{succeeded} checks of the tester succeeded")

User, Group = models["User"], models["Group"]
everybody = client.query(User)
say(isinstance(everybody, ListResponse) and everybody.total_results > 2, f"there are {everybody.total_results} users")

seen, start = [], 1
while len(seen) < everybody.total_results:
    page = client.query(User, query_parameters=SearchRequest(start_index=start, count=2))
    if not page.resources:
        break
    seen += [user.id for user in page.resources]
    start += page.items_per_page
say(seen == [user.id for user in everybody.resources], "pages of two hold everybody once")

one = everybody.resources[0]
for text in (
    f'userName eq "{one.user_name.upper()}"',
    f'externalId eq "{one.id}"',
    f'emails[type eq "work" and value eq "{one.emails[0].value}"]',
    f'active eq true and not (userName ne "{one.user_name}")',
):
    found = client.query(User, query_parameters=SearchRequest(filter=text))
    say([user.id for user in found.resources] == [one.id], f"finds {text}")
    found = client.search(search_request=SearchRequest(filter=text))
    say([user.id for user in found.resources or []] == [one.id], f"searches {text}")

# The tester tries one attribute of each kind of resource; these are more.
shown = client.query(User, one.id, query_parameters=ResponseParameters(attributes=[Path("userName")]))
say(shown.user_name == one.user_name and shown.emails is None, "attributes=userName shows userName only")
shown = client.query(User, one.id, query_parameters=ResponseParameters(excluded_attributes=[Path("emails")]))
say(shown.user_name == one.user_name and shown.emails is None, "excludedAttributes=emails hides emails only")

ids = {user.id for user in everybody.resources} | {group.id for group in client.query(Group).resources}
members = [member.value for group in client.query(Group).resources for member in group.members or []]
say(members and set(members) <= ids, f"all {len(members)} members lead to somebody")

unknown = SearchRequest(filter='shoeSize eq "38"')
refuses("a filter by what nobody has", {400}, lambda: client.query(User, query_parameters=unknown))
new = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "x"}
refuses("a create", {405, 501}, lambda: client.create(new, check_request_payload=False, url="/Users"))
refuses("a delete", {405, 501}, lambda: client.delete(User, one.id))

sys.exit(1 if failed else 0)
