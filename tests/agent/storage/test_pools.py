"""What a host knows of pools: the file, the password and what is remembered go together, whatever happens between."""

import threading

import pytest

from agent.http.errors import Busy, Refused
from agent.storage.specs import PoolSpec
from agent.storage.target_pool import TargetPool
from tests.agent.storage.conftest import Host, Secrets, new


class Cut(BaseException):
    """The agent is killed here."""


class Keeper(Secrets):
    """Passwords as libvirt keeps them: they outlive an agent, who may be killed before or after it asks."""

    def __init__(self):
        super().__init__()
        self.before, self.after = lambda: None, lambda: None

    def put(self, pool, password):
        self.before()
        self[pool] = password
        self.after()

    def drop(self, pool):
        self.before()
        self.pop(pool, None)
        self.after()

    def get(self, pool):
        if pool not in self:
            raise Refused("libvirt: no secret")
        return self[pool]


def cut():
    raise Cut


@pytest.fixture
def keeper():
    return Keeper()


@pytest.fixture
def agent(tmp_path, log, keeper, monkeypatch):
    """Each time another agent of the same host."""
    monkeypatch.setattr(TargetPool, "check", lambda self: None)  # the target is in the lab

    def started():
        keeper.before = keeper.after = lambda: None
        host = Host(tmp_path / "state", log)
        host.pools._secrets = keeper
        host.pools.load()
        return host.pools

    return started


@pytest.fixture
def pool():
    return PoolSpec(new(), "IscsiLUN", "iscsi://user:word@10.0.0.1/iqn.t:1")


@pytest.fixture
def files(tmp_path):
    return lambda: [path.stem for path in (tmp_path / "state" / "pools").glob("*.json")]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_pool_whose_telling_was_cut_leaves_no_password_that_nobody_knows_of(moment, agent, keeper, pool, files):
    pools = agent()
    setattr(keeper, moment, cut)
    with pytest.raises(Cut):
        pools.ensure(pool)

    known = agent().all()

    assert list(known) == list(keeper) == files()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_pool_whose_removal_was_cut_leaves_no_password_that_nobody_knows_of(moment, agent, keeper, pool, files):
    pools = agent()
    pools.ensure(pool)
    setattr(keeper, moment, cut)
    with pytest.raises(Cut):
        pools.remove(pool.uuid)

    known = agent().all()

    assert list(known) == list(keeper) == files()
    assert list(known) == ([pool.uuid] if moment == "before" else [])


def test_a_pool_that_libvirt_does_not_let_go_of_is_still_known(agent, keeper, pool, files):
    def busy():
        raise Busy("libvirt has enough to do")

    pools = agent()
    pools.ensure(pool)
    keeper.before = busy

    with pytest.raises(Busy):
        pools.remove(pool.uuid)

    assert (list(pools.all()), list(keeper), files()) == ([pool.uuid], [pool.uuid], [pool.uuid])


@pytest.mark.parametrize("first", ["ensure", "remove"])
def test_a_pool_that_is_told_and_removed_at_once_is_whole_or_gone(first, agent, keeper, pool, files):
    """Who calls first is stopped in the middle; the other waits for him."""
    pools, began, go = agent(), threading.Event(), threading.Event()
    if first == "remove":
        pools.ensure(pool)

    def stopped():
        keeper.before = keeper.after = lambda: None
        began.set()
        go.wait(10)

    acts = {"ensure": lambda: pools.ensure(other), "remove": lambda: pools.remove(pool.uuid)}
    other = PoolSpec(pool.uuid, pool.type, pool.url.replace("word", "other"))
    keeper.before = stopped
    threads = [threading.Thread(target=acts.pop(first)), threading.Thread(target=next(iter(acts.values())))]
    threads[0].start()
    assert began.wait(10)
    threads[1].start()
    threads[1].join(0.2)

    go.set()
    for thread in threads:
        thread.join(10)

    assert list(pools.all()) == list(keeper) == files()
    assert files() == ([] if first == "ensure" else [pool.uuid])
