"""A SCIM server of django-scim2, with its own models and a store in SQLite: django_app.py PORT TOKEN FOLDER."""

import os
import sys
from types import ModuleType, SimpleNamespace

port, token, folder = sys.argv[1:4]

MODELS = """
from django.contrib.auth.models import AbstractUser
from django.db import models
from django_scim.models import AbstractSCIMGroupMixin, AbstractSCIMUserMixin


class User(AbstractSCIMUserMixin, AbstractUser):
    groups = None
    user_permissions = None
    scim_groups = models.ManyToManyField("Group", related_name="user_set")


class Group(AbstractSCIMGroupMixin):
    name = models.CharField(max_length=255, unique=True)
"""

os.makedirs(f"{folder}/people", exist_ok=True)
for file, text in (("__init__", ""), ("models", MODELS)):
    with open(f"{folder}/people/{file}.py", "w") as out:
        out.write(text)
sys.path.insert(0, folder)

import people


class Token:
    """Whoever has the token is signed in."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        known = request.headers.get("Authorization") == f"Bearer {token}"
        request.user = SimpleNamespace(is_authenticated=known, is_anonymous=not known)
        return self.get_response(request)


people.Token = Token

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="of a test",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="urls",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django_scim", "people"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": f"{folder}/db.sqlite3",
            # A write waits for the other one.
            "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    AUTH_USER_MODEL="people.User",
    MIDDLEWARE=["people.Token", "django_scim.middleware.SCIMAuthCheckMiddleware"],
    SCIM_SERVICE_PROVIDER={
        "NETLOC": f"127.0.0.1:{port}",
        "SCHEME": "http",
        "AUTHENTICATION_SCHEMES": [{"type": "oauthbearertoken", "name": "Bearer", "description": "a token"}],
        "GROUP_MODEL": "people.models.Group",
    },
)
django.setup()

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import include, path
from waitress import serve

urls = ModuleType("urls")
urls.urlpatterns = [path("scim/v2/", include("django_scim.urls", namespace="scim"))]
sys.modules["urls"] = urls
call_command("migrate", run_syncdb=True, verbosity=0)
serve(get_wsgi_application(), host="127.0.0.1", port=int(port), threads=4)
