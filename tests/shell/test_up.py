"""`portal up`, really started."""

import http.client
import os
import signal
import stat

import pytest

from tests.chaos.client import Client
from tests.clouds import Cloud, alive, descendants, until


def answered(cloud, path):
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=10)
    connection.request("GET", path)
    return connection.getresponse()


def status(cloud, path="/healthz"):
    return answered(cloud, path).status


def text(cloud, path):
    return answered(cloud, path).read().decode()


def test_tells_scripts_where_it_is_and_who_may_log_in(cloud):
    told = cloud.told()

    assert (told["url"], told["api"]) == (f"http://127.0.0.1:{cloud.port}", f"http://127.0.0.1:{cloud.port}/client/api")
    assert stat.S_IMODE(cloud.endpoint.stat().st_mode) == 0o600
    assert [(user["domain"], user["username"], user["password"]) for user in told["users"]] == [
        ("ROOT", "admin", "password")
    ]
    assert all(user["apikey"] and user["secretkey"] for user in told["users"])


def test_keeps_its_keys_to_its_owner(cloud):
    private = [cloud.folder / name for name in ("keys", "logins.json", "cloud.sqlite3", "valkey.sock")]

    assert [oct(path.stat().st_mode & 0o077) for path in private] == ["0o0"] * 4


def test_a_second_one_on_the_same_directory_is_refused_and_harms_nothing(cloud):
    second = Cloud(cloud.folder)
    second.launch()

    assert second.ended() == 1
    assert f"is in use by process {cloud.process.pid}" in second.said
    assert cloud.endpoint.exists()
    assert status(cloud) < 500


def test_a_busy_port_is_refused_before_anything_is_made(cloud, fresh):
    fresh.launch(port=cloud.port)

    assert fresh.ended() == 1
    assert f"port {cloud.port} on 127.0.0.1 is in use" in fresh.said
    assert not fresh.endpoint.exists()
    assert not (fresh.folder / "cloud.sqlite3").exists()


def test_several_web_processes_answer_on_one_port_and_count_together(fresh):
    fresh.up("--no-demo", "--web", "2")
    first, second = fresh.tree()["web"] | fresh.tree()["web-2"]

    os.kill(first, signal.SIGSTOP)  # whoever accepts meanwhile is the other one
    seen = [status(fresh, "/client/api?command=listZones") for _ in range(3)]
    os.kill(first, signal.SIGCONT)
    os.kill(second, signal.SIGSTOP)
    seen += [status(fresh, "/client/api?command=listZones") for _ in range(4)]
    os.kill(second, signal.SIGCONT)

    assert seen == [401] * 7
    assert 'cloudportal_api_calls_total{command="listZones",status="401"} 7.0' in text(fresh, "/metrics")


def test_a_setting_holds_at_once_in_every_process(fresh):
    fresh.up("--no-demo", "--web", "2")
    pids = fresh.tree()["web"] | fresh.tree()["web-2"]
    boss = fresh.told()["users"][0]

    def kinds():
        return {pid: answered_by(fresh, pid, pids - {pid}) for pid in pids}

    assert set(kinds().values()) == {"application/json"}
    for word in ("text/javascript", "application/json"):
        client = Client(fresh.told()["api"], boss["apikey"], boss["secretkey"])
        client.call("updateConfiguration", name="json.content.type", value=f"{word}; charset=UTF-8")
        assert set(kinds().values()) == {word}


def answered_by(cloud, pid, others):
    """The kind of what this process answers: whoever accepts while the others stand still is the one."""
    for other in others:
        os.kill(other, signal.SIGSTOP)
    kind = answered(cloud, "/client/api?command=listZones&response=json").headers.get_content_type()
    for other in others:
        os.kill(other, signal.SIGCONT)
    return kind


@pytest.mark.parametrize("name", ["web", "web-2", "worker", "scheduler", "valkey", "job"])
def test_a_killed_process_is_replaced_and_no_request_refused(cloud, name):
    until(lambda: len(cloud.tree().get("job", ())) == 2)
    before = cloud.tree()[name]

    os.kill(min(before), signal.SIGKILL)

    assert status(cloud) < 500
    until(lambda: len(cloud.tree().get(name, set()) - before) >= 1)
    until(
        lambda: (
            {kind: len(pids) for kind, pids in cloud.tree().items()}
            == {"web": 1, "web-2": 1, "worker": 1, "scheduler": 1, "valkey": 1, "job": 2}
        )
    )


def test_ctrl_c_leaves_no_child_and_a_later_start_prepares_nothing_and_has_the_same_keys(fresh):
    first = fresh.up("--no-demo").told()
    children = descendants(fresh.process.pid)

    assert fresh.down(signal.SIGINT) == 0
    assert not [pid for pid in children if alive(pid)]
    assert not fresh.endpoint.exists()
    assert "preparing the database" in fresh.said

    second = fresh.up("--no-demo").told()

    assert second == first
    fresh.down()
    assert "is up after" in fresh.said
    assert "preparing the database" not in fresh.said


def test_no_child_outlives_a_killed_supervisor_and_the_next_start_heals(fresh):
    fresh.up("--no-demo")
    until(lambda: len(fresh.tree().get("job", ())) == 2)
    children = descendants(fresh.process.pid)

    fresh.down(signal.SIGKILL)

    until(lambda: not [pid for pid in children if alive(pid)], patience=5)
    fresh.endpoint.unlink()
    fresh.up("--no-demo")
    assert status(fresh) < 500


def test_a_directory_too_deep_for_a_socket_works(fresh):
    fresh.folder = fresh.folder / ("deep" * 20) / ("deeper" * 20)

    fresh.up("--no-demo")

    assert len(fresh.tree()["valkey"]) == 1
