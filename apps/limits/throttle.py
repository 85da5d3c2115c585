"""Calls of the API per account, in a fixed window that begins with the first call: wire-protocol.md section 13.

Counted in the cache, where all web processes find it. A cache that is of this process alone, or that does not answer,
counts nothing for the others: then a row in the database does, at the price of an update for each call.
"""

import time
from dataclasses import dataclass
from datetime import timedelta

from django.core.cache import cache, caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.db.models import F
from django.utils import timezone

from apps.accounts.models import Account
from apps.core.callers import Caller
from apps.core.errors import RateLimited
from apps.core.settings import Setting
from apps.limits.models import CallWindow

ENABLED = Setting("api.throttling.enabled", False, help_text="Limit the calls of the API that an account may make.")
INTERVAL = Setting("api.throttling.interval", 1, help_text="Seconds in which the calls are counted.", minimum=1)
MOST = Setting("api.throttling.max", 25, help_text="Calls that an account may make in that time.", minimum=1)
KEY = "calls:"


@dataclass(frozen=True, slots=True)
class Window:
    issued: int
    ends_in: int  # milliseconds


def check(caller: Caller) -> None:
    """Counts this call; RateLimited if it is one too many. Root and the system itself are not counted."""
    if caller.is_root or caller.how == "system" or not ENABLED.value():
        return
    window = count(caller.account)
    if window.issued > MOST.value():
        raise RateLimited(
            f"The given user has reached his/her account api limit, please retry after {window.ends_in} ms.",
            retry_in=-(-window.ends_in // 1000),
        )


def count(account: Account) -> Window:
    return _in_cache(account, 1) or _in_database(account)


def peek(account: Account) -> Window:
    """Without counting."""
    if window := _in_cache(account, 0):
        return window
    row = CallWindow.objects.filter(pk=account.pk, start__gt=timezone.now() - _interval()).first()
    return Window(row.issued, _left(row.start.timestamp())) if row else Window(0, 0)


def reset(account: Account | None) -> None:
    """Of one account, or of all."""
    keys = [account.pk] if account else list(Account.all_tenants.values_list("pk", flat=True))
    for start in range(0, len(keys), 1_000):
        cache.delete_many([f"{KEY}{key}" for key in keys[start : start + 1_000]])
    windows = CallWindow.objects.filter(pk=account.pk) if account else CallWindow.objects.all()
    windows.delete()


def is_shared() -> bool:
    return not isinstance(caches["default"], LocMemCache | DummyCache)


def _in_cache(account: Account, calls: int) -> Window | None:
    """The key of an account holds when its window began, and goes with it; the counter is named after both."""
    if not is_shared():
        return None
    key, interval = f"{KEY}{account.pk}", INTERVAL.value()
    began = cache.get(key)
    if began is None and calls:
        cache.add(key, time.time(), interval)
        began = cache.get(key)
        if began is None:
            return None  # nobody keeps it
    if began is None:
        return None
    counter = f"{key}:{began}"
    cache.add(counter, 0, interval + 1)
    return Window(_more(counter, calls), _left(began))


def _more(counter: str, calls: int) -> int:
    try:
        return cache.incr(counter, calls)
    except ValueError:  # it ended at this moment
        return calls


def _in_database(account: Account) -> Window:
    rows = CallWindow.objects.filter(pk=account.pk)
    while True:
        now = timezone.now()
        ended = now - _interval()
        if rows.filter(start__gt=ended).update(issued=F("issued") + 1):
            break
        if rows.filter(start__lte=ended).update(start=now, issued=1):
            break
        CallWindow.objects.bulk_create([CallWindow(account=account, start=now)], ignore_conflicts=True)
    row = rows.get()
    return Window(row.issued, _left(row.start.timestamp()))


def _interval() -> timedelta:
    return timedelta(seconds=INTERVAL.value())


def _left(began: float) -> int:
    return max(0, round((began + INTERVAL.value() - time.time()) * 1000))
