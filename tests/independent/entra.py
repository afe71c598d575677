"""Reads the stand-in of Microsoft Entra ID and Graph with Microsoft's own clients; ends with 1 and a reason if they disagree."""

import asyncio
import hashlib
import json
import ssl
import sys

import msal
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential, ClientSecretCredential, WorkloadIdentityCredential
from kiota_abstractions.api_error import APIError
from msgraph import GraphServiceClient
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.users.delta.delta_request_builder import DeltaRequestBuilder as Users
from msgraph.generated.groups.delta.delta_request_builder import DeltaRequestBuilder as Groups
from kiota_abstractions.base_request_configuration import RequestConfiguration

facts = json.load(open(sys.argv[1]))
url, tenant, client = facts["url"], facts["tenant"], facts["client"]
scope = f"{url}/.default"


def check(what, ok):
    if not ok:
        sys.exit(f"Microsoft's client disagrees: {what}")


def by_msal(credential):
    app = msal.ConfidentialClientApplication(
        client, authority=f"{url}/{tenant}", client_credential=credential, instance_discovery=False)
    return app.acquire_token_for_client([scope])


def tokens():
    check("msal takes a token by secret", "access_token" in by_msal(facts["secret"]))
    wrong = by_msal(facts["secret_id"])
    check("msal tells a wrong secret", wrong.get("error_codes") == [7000215])
    der = ssl.PEM_cert_to_DER_cert(facts["public"])
    for thumbprint in ({"thumbprint": hashlib.sha1(der).hexdigest()}, {"public_certificate": facts["public"]}):
        told = by_msal({"private_key": facts["key"], **thumbprint})
        check(f"msal takes a token by certificate ({list(thumbprint)[0]}): {told.get('error_description')}",
              "access_token" in told)
    options = {"authority": url, "disable_instance_discovery": True}
    by_secret = ClientSecretCredential(tenant, client, facts["secret"], **options)
    certificate = CertificateCredential(tenant, client, certificate_path=facts["certificate"], **options)
    pod = WorkloadIdentityCredential(tenant_id=tenant, client_id=client, token_file_path=facts["pod"], **options)
    for credential in (by_secret, certificate, pod):
        check(f"{type(credential).__name__} takes a token", credential.get_token(scope).token)
    try:
        ClientSecretCredential(tenant, client, "wrong", **options).get_token(scope)
        check("a wrong secret is refused", False)
    except ClientAuthenticationError:
        pass
    return by_secret


async def pages(first, follow):
    """All items of a round, and the link with which the next one begins."""
    items, page, empty = [], await first, 0
    while True:
        items += page.value
        empty += not page.value
        if page.odata_delta_link:
            return items, page.odata_delta_link, empty
        page = await follow(page.odata_next_link)


async def graph(credential):
    graph = GraphServiceClient(credential, [scope])
    graph.request_adapter.base_url = f"{url}/v1.0"
    asked = Users.DeltaRequestBuilderGetQueryParameters(select=["id", "displayName", "department", "accountEnabled"])
    users = graph.users.delta
    follow = lambda link: users.with_url(link).get()
    items, link, empty = await pages(users.get(RequestConfiguration(query_parameters=asked)), follow)
    check("an empty page is no end", empty > 0)
    check("everybody is read, and may come twice", len({user.id for user in items}) == 6 and len(items) == 12)
    check("properties arrive", {user.department for user in items} == {"Sales", None})
    check("booleans are booleans", all(user.account_enabled is True for user in items))
    again, _, _ = await pages(follow(link), follow)
    check("nothing changed", again == [])

    asked = Groups.DeltaRequestBuilderGetQueryParameters(select=["id", "displayName", "members"])
    groups = graph.groups.delta
    items, _, _ = await pages(groups.get(RequestConfiguration(query_parameters=asked)),
                              lambda link: groups.with_url(link).get())
    members = {str(member["id"]) for group in items for member in group.additional_data.get("members@delta", [])}
    check("parts of a list come on several pages", len(items) > 2 and len(members) == 5)

    one = await graph.users.by_user_id(facts["left"]).get()
    check("one user is read", one.id == facts["left"])
    listed = await graph.groups.by_group_id(facts["team"]).members.get()
    check("a group's members are listed", len(listed.value) == 5)
    for what, ask in (
        ("an unknown property", users.get(RequestConfiguration(
            query_parameters=Users.DeltaRequestBuilderGetQueryParameters(select=["shoeSize"])))),
        ("a made-up link", follow(f"{url}/v1.0/users/delta?$skiptoken=made-up")),
        ("an object that is not there", graph.users.by_user_id(client).get()),
    ):
        try:
            await ask
            check(f"{what} is refused", False)
        except ODataError as refused:
            check(f"{what} is refused in Graph's words", refused.error.code and refused.response_status_code in (400, 404))
        except APIError as refused:
            check(f"{what} is refused in Graph's words: {refused}", False)


asyncio.run(graph(tokens()))
