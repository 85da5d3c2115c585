"""From the environment; `cloudportal.checks` refuses at the start of a server what would be wrong in earnest.

DATABASE_URL       sqlite:///path or mysql://user:password@host/name?unix_socket=...; MariaDB is the production database
BROKER_URL         redis://, redis+socket:// or amqp://; memory:// carries nothing: the sweeper of a test does
CACHE_URL          redis:// or unix://; without it each process has a cache of its own
SECRET_KEY         signs sessions
SECRET_FIELD_KEYS  Fernet keys, comma separated: the first encrypts, all decrypt
ALLOWED_HOSTS      comma separated; what a browser may call this server
TRUSTED_ORIGINS    comma separated, https://cloud.example: what browsers call a server that stands behind a TLS proxy;
                   its X-Forwarded-Proto is believed then
AGENTS_URL         https://address:8251: where hosts of KVM find the listener for agents; see docs/install-kvm.md
AGENT_FILES        a directory of this user alone, for keys and certificates of the connections to hosts
KVM_SSH_PORT       where hosts are installed by SSH, if not 22
LOG_LEVEL, LOG_DIR see `cloudportal.logs`
"""

import os
import tempfile
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from cloudportal import logs

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TEST_KEY, TEST_FIELD_KEY = "for tests only", "c2tldGNoLXNrZXRjaC1za2V0Y2gtc2tldGNoLXNrZXQ="

# NORMAL with WAL: a power cut may lose the last transactions, a killed process none, and neither breaks the file.
SQLITE = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-8000; PRAGMA mmap_size=134217728;"


def database(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    engine: dict[str, Any]
    if parts.scheme == "sqlite":
        # IMMEDIATE: a transaction that turns from reading to writing would fail at once instead of waiting.
        options = {"transaction_mode": "IMMEDIATE", "timeout": 60, "init_command": SQLITE}
        test = os.path.join(tempfile.gettempdir(), f"cloudportal-{os.getpid()}.sqlite3")
        engine = {"ENGINE": "django.db.backends.sqlite3", "NAME": unquote(parts.path), "TEST": {"NAME": test}}
    elif parts.scheme in ("mysql", "mariadb"):
        options = {"charset": "utf8mb4", "isolation_level": "read committed", **dict(parse_qsl(parts.query))}
        engine = {
            "ENGINE": "django.db.backends.mysql",
            "NAME": parts.path.strip("/"),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": parts.port or "",
            "CONN_HEALTH_CHECKS": True,
        }
    else:
        raise ImproperlyConfigured(f"DATABASE_URL: sqlite:///path or mysql://user:password@host/name, not {url!r}")
    # Threads of the web server and children of a worker live long, and so do their connections.
    return engine | {"OPTIONS": options, "CONN_MAX_AGE": None}


def cache(url: str) -> dict[str, Any]:
    if not url:
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    if urlsplit(url).scheme not in ("redis", "rediss", "unix"):
        raise ImproperlyConfigured(f"CACHE_URL: redis://host/1 or unix:///path?db=1, not {url!r}")
    return {"BACKEND": "cloudportal.cache.SurvivingCache", "LOCATION": url}


def words(name: str, default: str) -> list[str]:
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


DEBUG = False
DATABASES = {"default": database(os.environ.get("DATABASE_URL", f"sqlite:///{HERE}/cloud.sqlite3"))}
CACHES = {"default": cache(os.environ.get("CACHE_URL", ""))}
CELERY_BROKER_URL = os.environ.get("BROKER_URL", "memory://")
# Queues that this process works on: steps of a flow that belong to one of them are not sent by message.
WORKER_QUEUES = frozenset(filter(None, os.environ.get("WORKER_QUEUES", "").split(",")))
SECRET_KEY = os.environ.get("SECRET_KEY", TEST_KEY)
SECRET_FIELD_KEYS = words("SECRET_FIELD_KEYS", TEST_FIELD_KEY)
ALLOWED_HOSTS = words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["cloudportal.hashers.Argon2"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LANGUAGE_COOKIE_NAME = "language"
LOCALE_PATHS = [f"{HERE}/apps/portal/locale"]
CSRF_COOKIE_HTTPONLY = True
CSRF_TRUSTED_ORIGINS = words("TRUSTED_ORIGINS", "")
CSRF_COOKIE_SECURE = any(origin.startswith("https:") for origin in CSRF_TRUSTED_ORIGINS)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if CSRF_TRUSTED_ORIGINS else None
STATIC_FOLDER = f"{HERE}/static"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [f"{HERE}/templates"],
        "OPTIONS": {"builtins": ["django.templatetags.i18n", "apps.portal.templatetags.portal"]},
    }
]
ROOT_URLCONF = "cloudportal.urls"
MIDDLEWARE: list[str] = []  # a call knows its caller from its signature or session key: nothing runs before it
LOGGING = logs.configuration()
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "rest_framework",
    "apps.events",
    "apps.configuration",
    "apps.jobs",
    "apps.tags",
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
    "apps.consoles",
    "apps.agents",
    "apps.simulator",
    "apps.api",
    "apps.portal",
    "apps.core",  # last: it checks what the others declared
]
