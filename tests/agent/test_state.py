import os
import threading

import pytest

from agent.state import Store, files
from agent.state.errors import Busy
from agent.state.locks import locked


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_a_document_is_there_for_the_next_process(tmp_path):
    Store(tmp_path).put("network", "n1", {"generation": 3, "cidr": "10.1.1.0/24"})

    assert Store(tmp_path).get("network", "n1") == {"generation": 3, "cidr": "10.1.1.0/24"}


def test_an_older_generation_does_not_replace_a_newer_one(store):
    store.put("network", "n1", {"generation": 3, "new": True})

    store.put("network", "n1", {"generation": 2, "new": False})

    assert store.get("network", "n1") == {"generation": 3, "new": True}


def test_the_same_generation_replaces(store):
    """What is rendered is of the generation that it names, or newer."""
    store.put("network", "n1", {"generation": 3, "rules": 1})

    store.put("network", "n1", {"generation": 3, "rules": 2})

    assert store.get("network", "n1") == {"generation": 3, "rules": 2}


def test_what_is_not_there_is_none_and_can_be_deleted(store):
    store.delete("network", "n1")

    assert store.get("network", "n1") is None
    assert store.keys("network") == []


def test_keys_are_those_of_the_kind(store):
    store.put("network", "n2", {})
    store.put("network", "n1", {})
    store.put("pool", "p1", {})

    assert store.keys("network") == ["n1", "n2"]


def test_a_file_that_was_damaged_is_as_good_as_none(store, tmp_path):
    store.put("network", "n1", {"generation": 3})
    (tmp_path / "network" / "n1.json").write_text("{")

    assert store.get("network", "n1") is None


@pytest.mark.parametrize("key", ["", ".", "../x", "a/b", "a\n", ".hidden", "a" * 129])
def test_a_key_is_a_name_of_a_file_and_nothing_else(store, tmp_path, key):
    with pytest.raises(ValueError, match="is no name for a document"):
        store.put("network", key, {})

    assert list(tmp_path.iterdir()) == []


def test_nobody_else_may_read_documents(store, tmp_path):
    store.put("network", "n1", {})

    assert (tmp_path / "network").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "network" / "n1.json").stat().st_mode & 0o777 == 0o600


def test_a_file_is_replaced_only_if_it_differs(tmp_path):
    path = tmp_path / "names"
    assert files.update(path, b"one") is True
    number = path.stat().st_ino

    assert files.update(path, b"one") is False
    assert path.stat().st_ino == number
    assert files.update(path, b"two") is True
    assert path.read_bytes() == b"two"


def test_what_a_killed_writer_left_is_in_nobodys_way(tmp_path):
    (tmp_path / ".names.new").write_text("half")

    files.replace(tmp_path / "names", b"whole")

    assert [path.name for path in tmp_path.iterdir()] == ["names"]


def test_a_lock_that_is_held_is_busy(tmp_path):
    text = "^n1: an earlier call is still under way$"
    with locked(tmp_path / "n1"), pytest.raises(Busy, match=text), locked(tmp_path / "n1"):
        pass

    with locked(tmp_path / "n1"):
        pass


def test_a_lock_is_waited_for(tmp_path):
    entered, order = threading.Event(), []

    with locked(tmp_path / "n1"):
        thread = threading.Thread(target=lambda: (entered.set(), _locked_and_noted(tmp_path / "n1", order)))
        thread.start()
        entered.wait()
        order.append("holder")
    thread.join()

    assert order == ["holder", "waiter"]


def _locked_and_noted(path, order):
    with locked(path, wait=10):
        order.append("waiter")


def test_a_program_that_inherits_the_lock_holds_it(tmp_path):
    with locked(tmp_path / "n1") as descriptor:
        inherited = os.dup(descriptor)

    with pytest.raises(Busy), locked(tmp_path / "n1"):
        pass
    os.close(inherited)
    with locked(tmp_path / "n1"):
        pass


def test_who_holds_the_lock_may_remove_it_and_nobody_enters_twice(tmp_path):
    path = tmp_path / "n1"
    waiting = threading.Event()
    seen = []

    def waiter():
        waiting.set()
        with locked(path, wait=10):
            seen.append(path.exists())

    with locked(path):
        thread = threading.Thread(target=waiter)
        thread.start()
        waiting.wait()
        path.unlink()
    thread.join()

    assert seen == [True]
