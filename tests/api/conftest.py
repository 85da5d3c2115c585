import pytest

from apps.accounts.models import User
from apps.accounts.services import sign_on
from apps.core import secret
from apps.core.callers import Kind
from apps.core.seeds import sow
from tests.api.client import Wire

SECRET = "secret-of-a-key-0123456789"  # noqa: S105


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def wire(db):
    """Nobody."""
    return Wire()


@pytest.fixture
def seeded(db):
    sow()


@pytest.fixture
def keyed(make):
    """Give the user of an account a key pair and a password: ``wire_of(account)``."""
    from django.contrib.auth.hashers import make_password

    def wire_of(account):
        user = User.all_tenants.get(account=account)
        values = {"api_key": f"key-of-{account.name}", "secret_key": secret.seal(SECRET)}
        User.all_tenants.filter(pk=user.pk).update(**values, password=make_password("secret"))
        return Wire(User.all_tenants.select_related("account").get(pk=user.pk), SECRET)

    return wire_of


@pytest.fixture
def alice(make, keyed):
    """Signs; a user of the domain a."""
    return keyed(make.account("alice", make.domain("a", make.domain())))


@pytest.fixture
def root(make, keyed):
    return keyed(make.account("admin", kind=Kind.ROOT, type=1))


@pytest.fixture
def session(alice):
    """Alice in a browser, logged in; ``session.key`` is the session key."""
    browser = Wire()
    browser.login("alice", domain="/a")
    assert browser.key
    assert sign_on.session_of(browser.http.cookies["JSESSIONID"].value)
    return browser
