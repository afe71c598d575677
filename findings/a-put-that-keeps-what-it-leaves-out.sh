#!/bin/bash
# Expected: a PUT of a user replaces them: what the request leaves out is gone (RFC 7644 section 3.5.1), and an id is that of one object
#   of the service (RFC 7643 section 3.1).
# Fact: django-scim2 answers 200 to a PUT without `emails` and keeps the address that was there. Its users and groups each count from 1, so a
#   user and a group have the same id.
# Why it matters: an address that somebody must not have any more stays, and the answer says that all is well: only reading it shows.
#   Whoever keeps what it made by the id alone takes the group for the user.
# Source: the two sections above. Versions are printed.
. "$(dirname "$0")/lib.sh"
python_with django-scim2==0.23.0 Django==5.2.19
mkdir "$W/people"
touch "$W/people/__init__.py"
cat > "$W/people/models.py" <<'P'
from django.contrib.auth.models import AbstractUser
from django.db import models
from django_scim.models import AbstractSCIMGroupMixin, AbstractSCIMUserMixin


class User(AbstractSCIMUserMixin, AbstractUser):
    groups = None
    user_permissions = None
    scim_groups = models.ManyToManyField("Group", related_name="user_set")


class Group(AbstractSCIMGroupMixin):
    name = models.CharField(max_length=255, unique=True)
P
cat > "$W/a.py" <<'P'
import json
import sys
from types import ModuleType, SimpleNamespace

sys.path.insert(0, ".")
import people
import django
from django.conf import settings


class Known:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.user = SimpleNamespace(is_authenticated=True, is_anonymous=False)
        return self.get_response(request)


people.Known = Known
settings.configure(
    SECRET_KEY="of a finding", ALLOWED_HOSTS=["*"], ROOT_URLCONF="urls", AUTH_USER_MODEL="people.User", DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django_scim", "people"], MIDDLEWARE=["people.Known"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}},
    SCIM_SERVICE_PROVIDER={"NETLOC": "scim.example", "AUTHENTICATION_SCHEMES": [], "GROUP_MODEL": "people.models.Group"},
)
django.setup()
from django.core.management import call_command
from django.urls import include, path

urls = ModuleType("urls")
urls.urlpatterns = [path("v2/", include("django_scim.urls"))]
sys.modules["urls"] = urls
call_command("migrate", run_syncdb=True, verbosity=0)
from django.test import Client

client, kind = Client(), "application/scim+json"
core = "urn:ietf:params:scim:schemas:core:2.0:"
ada = {"schemas": [core + "User"], "userName": "ada", "active": True}


def told(answer):
    return answer.status_code, json.loads(answer.content)


_, user = told(client.post("/v2/Users", json.dumps(ada | {"emails": [{"value": "ada@example.test"}]}), kind))
_, group = told(client.post("/v2/Groups", json.dumps({"schemas": [core + "Group"], "displayName": "team"}), kind))
print("user", user["id"], "group", group["id"])
status, _ = told(client.put(f"/v2/Users/{user['id']}", json.dumps(ada), kind))
_, now = told(client.get(f"/v2/Users/{user['id']}"))
print(status, ",".join(email["value"] for email in now.get("emails", [])) or "none")
P
(cd "$W" && py/bin/python a.py) > "$W/out" 2> "$W/err" || { tail -5 "$W/err"; exit 2; }
fact 'ids of the first user and the first group' 'user 1 group 1' "$(sed -n 1p "$W/out")"
fact 'a PUT without emails, and the addresses after it' '200 ada@example.test' "$(sed -n 2p "$W/out")"
verdict
