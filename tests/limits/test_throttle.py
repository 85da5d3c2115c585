import subprocess
import threading
import time
from datetime import timedelta

import pytest
from django.core.cache import caches
from django.db import connection
from django.utils import timezone

from apps.configuration.store import STORE
from apps.core import dispatch
from apps.core.errors import RateLimited, UnsupportedAction
from apps.limits import throttle
from apps.limits.models import CallWindow
from cloudportal.processes import valkey_program

pytestmark = pytest.mark.django_db


@pytest.fixture
def on(db):
    STORE.store("api.throttling.enabled", "true")
    STORE.store("api.throttling.interval", "60")
    STORE.store("api.throttling.max", "3")
    yield
    STORE.forget()


@pytest.fixture(scope="module")
def valkey(tmp_path_factory):
    socket = tmp_path_factory.mktemp("valkey") / "s"
    words = ("--port", "0", "--unixsocket", socket, "--save", "", "--daemonize", "no")
    process = subprocess.Popen(  # noqa: S603
        [str(valkey_program()), *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not socket.exists():
        time.sleep(0.01)
    yield f"unix://{socket}?db=1"
    process.terminate()
    process.wait()


def cache_at(url):
    return {"default": {"BACKEND": "cloudportal.cache.SurvivingCache", "LOCATION": url}}


@pytest.fixture(params=["cache", "database", "dead cache"])
def counting(request, settings, on):
    """Where calls are counted."""
    if request.param == "cache":
        settings.CACHES = cache_at(request.getfixturevalue("valkey"))
        caches["default"].clear()
    elif request.param == "dead cache":
        settings.CACHES = cache_at("unix:///nowhere/at/all")
    return request.param


def test_calls_over_the_limit_are_429_until_the_window_ends(make, counting):
    alice = make.caller()
    for _ in range(3):
        dispatch.call(alice, "listAsyncJobs")

    with pytest.raises(
        RateLimited, match=r"^The given user has reached his/her account api limit, please retry after "
    ) as refusal:
        dispatch.call(alice, "listAsyncJobs")

    left = int(str(refusal.value).split()[-2])
    assert (refusal.value.code, refusal.value.cs_code) == (429, 4545)
    assert 50_000 < left <= 60_000
    assert throttle.peek(alice.account).issued == 4  # the one that was refused counts too
    assert (CallWindow.objects.count() == 0) == (counting == "cache")


def test_each_account_has_its_own_count_and_root_has_none(make, counting):
    alice, bob, root = make.caller(), make.caller("bob"), make.root()

    for caller, times in ((alice, 3), (bob, 3), (root, 9)):
        for _ in range(times):
            dispatch.call(caller, "listAsyncJobs")

    assert [throttle.peek(each.account).issued for each in (alice, bob, root)] == [3, 3, 0]


def test_what_was_issued_is_told(make, counting):
    alice = make.caller()
    dispatch.call(alice, "listAsyncJobs")

    limit = dispatch.call(alice, "getApiLimit")["apilimit"]

    assert 50_000 < limit.pop("expireAfter") <= 60_000
    assert limit == {"accountid": str(alice.account.uuid), "account": "alice", "apiIssued": 2, "apiAllowed": 3}


def test_root_resets_one_account_or_all(make, counting):
    alice, bob, root = make.caller(), make.caller("bob"), make.root()
    for _ in range(2):
        dispatch.call(alice, "listAsyncJobs")
        dispatch.call(bob, "listAsyncJobs")

    assert dispatch.call(root, "resetApiLimit", account=alice.account.uuid) == {"success": True}
    assert [throttle.peek(each.account).issued for each in (alice, bob)] == [0, 2]
    dispatch.call(root, "resetApiLimit")
    assert throttle.peek(bob.account).issued == 0
    with pytest.raises(UnsupportedAction):
        dispatch.call(alice, "resetApiLimit")


def test_a_window_begins_with_the_first_call_after_the_last_one_ended(make, on):
    alice = make.caller()
    for _ in range(3):
        dispatch.call(alice, "listAsyncJobs")
    CallWindow.objects.update(start=timezone.now() - timedelta(seconds=61))

    dispatch.call(alice, "listAsyncJobs")

    window = throttle.peek(alice.account)
    assert (window.issued, window.ends_in > 59_000) == (1, True)


def test_in_the_cache_it_ends_as_well(make, on, valkey, settings):
    settings.CACHES = cache_at(valkey)
    caches["default"].clear()
    STORE.store("api.throttling.interval", "1")
    alice = make.caller("carol")
    assert throttle.count(alice.account).issued == 1
    time.sleep(1.1)

    assert throttle.peek(alice.account) == throttle.Window(0, 0)
    assert throttle.count(alice.account).issued == 1


def test_a_command_that_is_not_for_the_role_is_432_and_not_counted(make, on):
    alice = make.caller()

    with pytest.raises(UnsupportedAction):
        dispatch.call(alice, "listAlerts")

    assert throttle.peek(alice.account).issued == 0


@pytest.mark.parametrize("name", ["getApiLimit", "resetApiLimit"])
def test_without_throttling_nothing_is_counted_and_the_commands_are_432(make, name):
    caller = make.root() if name == "resetApiLimit" else make.caller()
    for _ in range(30):
        dispatch.call(caller, "listAsyncJobs")

    with pytest.raises(
        UnsupportedAction, match="^This api is only available when api.throttling.enabled = true.$"
    ) as refusal:
        dispatch.call(caller, name)
    assert (refusal.value.code, refusal.value.cs_code, CallWindow.objects.count()) == (432, 9999, 0)


def test_what_the_system_does_for_an_account_is_not_counted(make, on):
    from apps.accounts.services.sign_on import caller_for

    system = caller_for(make.account(), how="system")
    for _ in range(9):
        dispatch.call(system, "listAsyncJobs")

    assert throttle.peek(system.account).issued == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("where", ["cache", "database"])
def test_calls_at_the_same_moment_count_each(make, where, settings, request):
    STORE.store("api.throttling.enabled", "true")
    STORE.store("api.throttling.interval", "60")
    if where == "cache":
        settings.CACHES = cache_at(request.getfixturevalue("valkey"))
        caches["default"].clear()
    alice, failed = make.caller("dave"), []
    # A window that has ended: one of them begins the next, and the others count in that.
    CallWindow.objects.create(account=alice.account, start=timezone.now() - timedelta(seconds=61), issued=9)

    def call():
        try:
            for _ in range(5):
                throttle.count(alice.account)
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (failed, throttle.peek(alice.account).issued) == ([], 30)
