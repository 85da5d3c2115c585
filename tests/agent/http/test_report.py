import time

from agent.http.report import KEPT, Reporter
from tests.agent.authority import HOST


def test_a_heartbeat_tells_the_state_of_the_host(identity, manager, log, stop):
    Reporter(identity, lambda: {"machines": []}, log, interval=0.02).start(stop)

    first, second = manager.wait(lambda m: m.reports[1:] and m.reports[:2])

    assert (first["sequence"], second["sequence"]) == (1, 2)
    assert first["boot"] == second["boot"]
    assert {name: first[name] for name in ("host", "machines", "events")} == {
        "host": identity.enrolled["host"],
        "machines": [],
        "events": [],
    }


def test_an_event_is_told_at_once(identity, manager, log, stop):
    reporter = Reporter(identity, dict, log, interval=60)
    reporter.start(stop)
    began = time.monotonic()

    reporter.event("power", machine="m", state="stopped")

    manager.wait(lambda m: m.events("power", machine="m", state="stopped"))
    assert time.monotonic() - began < 2


def test_events_wait_for_a_manager_that_is_away(identity, log, stop, tmp_path, manager, monkeypatch):
    monkeypatch.setattr("agent.http.report.PATIENCE", (0.05,))
    reporter = Reporter(identity, dict, log, interval=60)
    identity.save_enrolment(identity.enrolled["host"], "https://127.0.0.1:1")
    reporter.start(stop)
    for number in range(KEPT + 5):
        reporter.event("power", machine=str(number))
    time.sleep(0.2)

    identity.save_enrolment(identity.enrolled["host"], manager.url)

    manager.wait(lambda m: m.reports)
    told = [event["machine"] for event in manager.reports[0]["events"]]
    assert told == [str(number) for number in range(5, KEPT + 5)]


def test_what_was_confirmed_is_not_told_again(identity, manager, log, stop):
    reporter = Reporter(identity, dict, log, interval=60)
    reporter.start(stop)
    reporter.event("power", machine="a")
    manager.wait(lambda m: m.events("power", machine="a"))

    reporter.event("power", machine="b")

    manager.wait(lambda m: m.events("power", machine="b"))
    assert [[e["machine"] for e in report["events"]] for report in manager.reports] == [["a"], ["b"]]


def test_the_answer_says_what_was_revoked(identity, manager, log, stop):
    manager.revoked = {"AB12"}
    Reporter(identity, dict, log, interval=0.02).start(stop)
    manager.wait(lambda m: len(m.reports) > 1)

    assert identity.revoked == {"AB12"}


def test_a_host_whose_certificate_was_revoked_is_not_heard(identity, manager, log, stop, lines):
    manager.revoked = {manager.authority.write_pair(identity.pair, identity.enrolled["host"], HOST)}
    Reporter(identity, dict, log, interval=0.02).start(stop)
    until = time.monotonic() + 10
    while not lines.of("report not delivered") and time.monotonic() < until:
        time.sleep(0.01)

    assert "403" in lines.of("report not delivered")[0]["error"]
    assert manager.reports == []


def test_a_state_that_cannot_be_told_is_no_end_of_reports(identity, manager, log, stop, monkeypatch):
    monkeypatch.setattr("agent.http.report.PATIENCE", (0.02,))
    failures = [RuntimeError("libvirt is away")]

    def collect():
        if failures:
            raise failures.pop()
        return {"machines": []}

    Reporter(identity, collect, log, interval=0.02).start(stop)

    manager.wait(lambda m: m.reports)
