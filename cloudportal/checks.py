"""What a server refuses to start with. Only deployment checks: tests and `makemigrations` go without keys."""

from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core import checks
from django.db import OperationalError, connection, connections

from cloudportal.settings import TEST_FIELD_KEY, TEST_KEY


@checks.register(deploy=True)
def secrets_are_our_own(app_configs: Any = None, **options: Any) -> list[checks.CheckMessage]:
    wrong = []
    if settings.SECRET_KEY == TEST_KEY or len(settings.SECRET_KEY) < 32:
        wrong.append("SECRET_KEY is not set, or shorter than 32 characters: it signs sessions")
    if not settings.SECRET_FIELD_KEYS or TEST_FIELD_KEY in settings.SECRET_FIELD_KEYS:
        wrong.append("SECRET_FIELD_KEYS is not set: it encrypts keys and passwords in the database")
    for number, key in enumerate(settings.SECRET_FIELD_KEYS, 1):
        try:
            Fernet(key)
        except ValueError:
            wrong.append(f"SECRET_FIELD_KEYS: key {number} is not 32 bytes in URL-safe base64")
    return [checks.Error(text, id="cloudportal.E001") for text in wrong]


@checks.register(checks.Tags.database)
def the_database_knows_every_letter(databases: Any = None, **options: Any) -> list[checks.CheckMessage]:
    """Tables get the character set of their database: with another one, names in most scripts are errors."""
    if connection.vendor != "mysql" or not databases:
        return []
    try:
        with connection.cursor() as cursor:
            cursor.execute("select database(), @@character_set_database")
            name, found = cursor.fetchone()
    except OperationalError as error:
        return [checks.Error(f"the database does not answer: {error}", id="cloudportal.E004")]
    if found == "utf8mb4":
        return []
    text = f"the database {name} has the character set {found}: alter database {name} character set utf8mb4"
    return [checks.Error(text, id="cloudportal.E003")]


@checks.register(deploy=True)
def a_broker_carries(app_configs: Any = None, **options: Any) -> list[checks.CheckMessage]:
    if settings.CELERY_BROKER_URL.startswith("memory:"):
        return [checks.Error("BROKER_URL is not set: no worker would hear of a job", id="cloudportal.E002")]
    return []


def problems() -> list[str]:
    """Of this environment, at the start of a server."""
    try:
        found = secrets_are_our_own() + a_broker_carries() + checks.run_checks(databases=["default"])
    finally:
        connections.close_all()  # processes are forked from this one: two on one connection read each other's answers
    return [f"{each.msg} ({each.id})" for each in found if each.is_serious()]
