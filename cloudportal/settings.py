"""From the environment. MariaDB is the database; SQLite is the embedded default and the tests' second."""

import os
import tempfile
from urllib.parse import parse_qsl, urlsplit

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def database(url: str) -> dict:
    """``mysql://user@/name?unix_socket=/run/db.sock`` or ``sqlite:///path``."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        # IMMEDIATE: a transaction that turns from reading to writing would fail at once instead of waiting.
        options = {"transaction_mode": "IMMEDIATE", "timeout": 60, "init_command": SQLITE}
        test = os.path.join(tempfile.gettempdir(), f"sketch-{os.getpid()}.sqlite3")
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": parts.path, "OPTIONS": options, "TEST": {"NAME": test}}
    return {
        "ENGINE": "django.db.backends.mysql",
        "NAME": parts.path.strip("/"),
        "USER": parts.username,
        "PASSWORD": parts.password or "",
        "HOST": parts.hostname or "",
        "OPTIONS": {"charset": "utf8mb4", "isolation_level": "read committed", **dict(parse_qsl(parts.query))},
    }


SQLITE = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
DATABASES = {"default": database(os.environ.get("DATABASE_URL", f"sqlite:///{HERE}/cloud.sqlite3"))}
SECRET_KEY = os.environ.get("SECRET_KEY", "for tests only")
SECRET_FIELD_KEYS = os.environ.get("SECRET_FIELD_KEYS", "c2tldGNoLXNrZXRjaC1za2V0Y2gtc2tldGNoLXNrZXQ=").split(",")
CELERY_BROKER_URL = os.environ.get("BROKER_URL", "memory://")
# Queues that this process works on: steps of a flow that belong to one of them are not sent by message.
WORKER_QUEUES = frozenset(filter(None, os.environ.get("WORKER_QUEUES", "").split(",")))
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "rest_framework",
    "apps.events",
    "apps.configuration",
    "apps.jobs",
    "apps.domains",
    "apps.rbac",
    "apps.accounts",
    "apps.limits",
    "apps.infrastructure",
    "apps.offerings",
    "apps.images",
    "apps.storage",
    "apps.network",
    "apps.machines",
    "apps.firewall",
    "apps.appliances",
    "apps.network_providers",
    "apps.compute",
    "apps.simulator",
    "apps.api",
    "apps.core",  # last: it checks what the others declared
]
