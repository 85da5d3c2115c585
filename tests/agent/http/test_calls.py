import dataclasses
import json
import threading
import time

import pytest

from agent.http import keys as keys_module
from agent.http.calls import Calls, by
from agent.http.errors import Busy, Refused, Unknown
from agent.http.keys import Deadline, Keys
from apps.hypervisors import errors

VM, DISK = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000d"
NOW = {"deadline": 5.0}


@dataclasses.dataclass(frozen=True)
class Pool:
    uuid: str
    url: str = ""


@dataclasses.dataclass(frozen=True)
class Disk:
    uuid: str
    size: int
    pool: Pool | None = None
    tags: tuple[str, ...] = ()


@pytest.fixture
def seen(calls):
    found = []

    def attach(vm: str, disk: Disk, deadline: Deadline) -> None:
        found.append((vm, disk))

    calls.register("disks.attach", attach, by("vm", "disk"))
    return found


def test_arguments_come_as_what_they_are(calls, seen):
    disk = {"uuid": DISK, "size": 5, "pool": {"uuid": VM, "url": "file:///srv"}, "tags": ["a", "b"]}

    answer = calls.answer("disks.attach", {"vm": VM, "disk": disk, **NOW})

    assert answer == {"result": None}
    assert seen == [(VM, Disk(DISK, 5, Pool(VM, "file:///srv"), ("a", "b")))]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"frce": True}, "unknown key 'frce'"),
        ({"disk": {"uuid": DISK, "size": 5, "sise": 6}}, "disk: unknown key 'sise'"),
        ({"disk": {"uuid": DISK, "size": 5, "pool": {"uuid": VM, "path": "/"}}}, "disk.pool: unknown key 'path'"),
        ({"disk": {"uuid": DISK}}, "disk: key 'size' is missing"),
        ({"disk": {"uuid": DISK, "size": "5"}}, "disk.size: must be a whole number"),
        ({"disk": {"uuid": DISK, "size": True}}, "disk.size: must be a whole number"),
        ({"disk": {"uuid": DISK, "size": 5, "tags": [1]}}, "disk.tags[0]: must be a text"),
        ({"disk": {"uuid": "../../etc", "size": 5}}, "'../../etc' is no uuid"),
        ({"disk": None}, "disk: must be an object"),
        ({"vm": "a;b"}, "vm: 'a;b' is no uuid"),
        ({"deadline": 0}, "key 'deadline' must be the number of seconds that the caller waits, up to 3600"),
        ({"deadline": "5"}, "key 'deadline' must be the number of seconds that the caller waits, up to 3600"),
    ],
)
def test_what_is_not_expected_is_refused_by_name(calls, seen, change, text):
    body = {"vm": VM, "disk": {"uuid": DISK, "size": 5}, **NOW, **change}

    assert calls.answer("disks.attach", body) == {"error": {"kind": "invalid", "text": text}}
    assert seen == []


def test_a_call_that_is_not_there(calls):
    answer = calls.answer("disks.format", NOW)

    assert answer == {"error": {"kind": "invalid", "text": "there is no call 'disks.format'"}}


def test_an_argument_that_is_missing(calls, seen):
    assert calls.answer("disks.attach", {"vm": VM, **NOW})["error"]["text"] == "key 'disk' is missing"


def register_slow(calls, name="power.stop"):
    begun, go = threading.Event(), threading.Event()

    def slow(vm: str, deadline: Deadline) -> None:
        begun.set()
        go.wait(10)

    calls.register(name, slow, by("vm"))
    thread = threading.Thread(target=calls.answer, args=(name, {"vm": VM, **NOW}))
    thread.start()
    begun.wait(10)
    return thread, go


def test_while_a_call_is_under_way_another_about_the_same_is_busy(calls):
    def runs(vm: str, deadline: Deadline) -> bool:
        return True

    calls.register("power.runs", runs, by("vm"), changes=False)
    thread, go = register_slow(calls)
    busy = {"error": {"kind": "busy", "text": f"an earlier call about vm:{VM} is still under way"}}

    assert calls.answer("power.runs", {"vm": VM, **NOW}) == busy
    assert calls.answer("power.stop", {"vm": VM, **NOW}) == busy
    assert calls.answer("power.runs", {"vm": DISK, **NOW}) == {"result": True}
    go.set()
    thread.join()
    assert calls.answer("power.runs", {"vm": VM, **NOW}) == {"result": True}


def test_what_a_killed_agent_was_at_stays_busy_for_a_moment(tmp_path, log):
    before = Calls(Keys(tmp_path / "journal"), log)
    thread, go = register_slow(before)
    clock = [100.0]

    after = Keys(tmp_path / "journal", lambda: clock[0])

    with pytest.raises(Busy, match=f"vm:{VM}"):
        after.look([f"vm:{VM}"])
    after.look([f"vm:{DISK}"])
    clock[0] += keys_module.SETTLE + 0.1
    after.look([f"vm:{VM}"])
    assert Keys(tmp_path / "journal").held() == []
    go.set()
    thread.join()


def test_a_journal_that_was_cut_off_hinders_nothing(tmp_path):
    (tmp_path / "1-1").write_text('["vm:')

    assert Keys(tmp_path).held() == []
    assert list(tmp_path.iterdir()) == []


def test_a_host_that_has_enough_to_do_says_so(calls, seen, monkeypatch):
    calls._slots[True] = threading.BoundedSemaphore(1)
    thread, go = register_slow(calls)

    answer = calls.answer("disks.attach", {"vm": DISK, "disk": {"uuid": DISK, "size": 1}, "deadline": 0.1})

    assert answer["error"] == {"kind": "busy", "text": "the host carries out as many calls as it can"}
    assert seen == []
    go.set()
    thread.join()


@pytest.mark.parametrize("kind", [Refused, Busy, Unknown])
def test_errors_keep_their_class_on_the_way_to_the_manager(calls, agents, address, kind):
    def fails(deadline: Deadline) -> None:
        raise kind("because")

    calls.register("host.facts", fails)

    with pytest.raises(getattr(errors, kind.__name__), match="because"):
        agents.call(address, "host.facts", {}, 5)


def test_a_bug_is_unknown_to_the_manager_and_written_down_here(calls, lines):
    def fails(deadline: Deadline) -> None:
        raise KeyError("oops")

    calls.register("power.stop", fails)

    assert calls.answer("power.stop", NOW)["error"] == {"kind": "unknown", "text": "the agent failed, see its log"}
    (line,) = lines.of("failed")
    assert (line["call"], line["error"]) == ("power.stop", "KeyError: 'oops'")


def test_an_answer_that_takes_too_long_is_unknown_and_the_call_goes_on(calls, agents, address):
    done = threading.Event()

    def slow(deadline: Deadline) -> None:
        time.sleep(0.6)
        done.set()

    calls.register("power.stop", slow)

    with pytest.raises(errors.Unknown):
        agents.call(address, "power.stop", {}, 0.3)
    assert done.wait(5)


def test_logs_name_the_request_and_what_it_is_about_but_no_secret(calls, seen, agents, address, lines):
    pool = {"uuid": VM, "url": "iscsi://chap:s3cret@host/iqn.2026-01.a:b"}

    agents.call(address, "disks.attach", {"vm": VM, "disk": {"uuid": DISK, "size": 5, "pool": pool}}, 5)
    agents_error = calls.answer("disks.attach", {"vm": VM, "disk": {"uuid": DISK, "size": 5, "pool": "s3cret"}, **NOW})

    (line, _) = lines.of("call")
    shown = {name: line[name] for name in ("call", "subjects", "outcome", "request")}
    subjects = [f"vm:{VM}", f"disk:{DISK}"]
    assert shown == {"call": "disks.attach", "subjects": subjects, "outcome": "done", "request": "job-7"}
    assert "s3cret" not in json.dumps([lines.all(), agents_error])


def test_a_request_that_comes_after_its_caller_gave_up_is_not_begun(calls, seen):
    body = {"vm": VM, "disk": {"uuid": DISK, "size": 5}, **NOW}

    late = calls.answer("disks.attach", {**body, "expires": time.monotonic() - 0.01})

    assert late == {"error": {"kind": "busy", "text": "the call came when nobody waited for it any more"}}
    assert seen == []
    assert calls.answer("disks.attach", {**body, "expires": time.monotonic() + 5}) == {"result": None}


def test_the_driver_tells_when_it_gives_up_on_the_clock_of_the_agent(calls, agents, address, monkeypatch):
    def runs(deadline: Deadline) -> float:
        return deadline.left()

    calls.register("power.runs", runs, changes=False)
    real, came = calls.answer, []
    monkeypatch.setattr(calls, "answer", lambda name, body: came.append(body) or real(name, body))

    agents.call(address, "power.runs", {}, 5)

    (body,) = came
    assert 4 < body["expires"] - time.monotonic() < 5
    assert 4 < body["deadline"] < 5
