from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.models import Account, Session, User
from apps.accounts.services import sign_on, users
from apps.core.errors import LoginRefused, NotAuthenticated
from apps.core.seeds import sow
from tests.conftest import unknown

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin():
    sow()
    return User.all_tenants.select_related("account__domain", "account__role").get(username="admin")


@pytest.mark.parametrize("path", [None, "", "/"])
def test_the_right_password_is_the_user(admin, path):
    assert sign_on.authenticate("admin", "password", path) == admin
    assert sign_on.authenticate("ADMIN", "password", domain_uuid=str(admin.account.domain.uuid)) == admin


@pytest.mark.parametrize(
    ("username", "password", "where", "error"),
    [
        ("admin", "wrong", {}, LoginRefused),
        ("admin", "", {}, LoginRefused),
        ("nobody", "password", {}, LoginRefused),
        ("admin", "password", {"domain_path": "/nowhere"}, LoginRefused),
        ("admin", "password", {"domain_uuid": unknown()}, NotAuthenticated),
        ("admin", "password", {"domain_uuid": "x"}, NotAuthenticated),
    ],
)
def test_anything_else_is_refused(admin, username, password, where, error):
    with pytest.raises(error):
        sign_on.authenticate(username, password, **where)
    assert Session.objects.count() == 0


def test_too_many_wrong_passwords_disable_a_user_and_the_right_one_resets_the_count(make, admin):
    alice = make.account()
    user = User.all_tenants.get(account=alice)
    users.update(caller=sign_on.caller_of(admin, "key"), user=user, password="right")  # noqa: S106

    for _ in range(4):
        with pytest.raises(LoginRefused):
            sign_on.authenticate("alice", "wrong")
    sign_on.authenticate("alice", "right")
    for _ in range(5):
        with pytest.raises(LoginRefused):
            sign_on.authenticate("alice", "wrong")

    with pytest.raises(LoginRefused):
        sign_on.authenticate("alice", "right")
    assert User.all_tenants.get(pk=user.pk).state == "disabled"


def test_a_session_lives_while_it_is_used_and_its_user_may_log_in(admin):
    opened = sign_on.open_session(admin)
    stored = Session.objects.get()
    assert opened.cookie not in (stored.cookie, stored.key)
    assert sign_on.key_is(stored, opened.key)
    assert not sign_on.key_is(stored, opened.key + "x")
    assert sign_on.session_of(opened.cookie).user == admin
    assert sign_on.session_of("other") is None

    Session.objects.update(used=timezone.now() - timedelta(seconds=1801))
    assert sign_on.session_of(opened.cookie) is None
    assert Session.objects.count() == 0


def test_a_session_of_a_disabled_account_is_thrown_away(make):
    user = User.all_tenants.get(account=make.account())
    opened = sign_on.open_session(user)
    Account.all_tenants.filter(pk=user.account_id).kernel_update(state="disabled")

    assert sign_on.session_of(opened.cookie) is None
    assert Session.objects.count() == 0


def test_keys_find_their_user_in_one_query_and_lie_sealed(make, django_assert_num_queries):
    user = User.all_tenants.get(account=make.account())
    api_key, secret_key = users.register_keys(user=user)

    with django_assert_num_queries(1):
        found, secret = sign_on.user_of_key(api_key)

    assert (found, secret) == (user, secret_key)
    assert secret_key not in User.all_tenants.get(pk=user.pk).secret_key
    assert sign_on.user_of_key("unknown") is None
