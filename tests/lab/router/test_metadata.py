import json
import os
import subprocess
import zipapp

import pytest

from tests.lab.tools.documents import card, document, mac, machine
from tests.lab.tools.spaces import HERE, PYTHON, wait
from tests.lab.tools.traffic import get, password

USER_DATA = os.urandom(200_000)
KEY = "ssh-ed25519 AAAAC3 alice"
MACHINE = machine(10, user_data=USER_DATA, keys=[KEY], password="first", zone="z1", offering="small")
CARDS = [card(10), card(11)]


@pytest.fixture(scope="module")
def guest(lab):
    lab.apply(dhcp=CARDS, machines=[MACHINE, machine(11)])
    made = lab.guest(mac(10), "vm10")
    made.dhcp()
    return made


@pytest.fixture(scope="module")
def second(lab, guest):
    made = lab.guest(mac(11), "vm11")
    made.dhcp()
    return made


@pytest.mark.parametrize("server", ["10.1.1.1", "169.254.169.254"])
def test_a_machine_is_told_of_itself(guest, server):
    assert get(guest, server, "/latest/meta-data/local-hostname") == (200, b"vm10")
    assert get(guest, server, "/latest/meta-data/service-offering") == (200, b"small")
    assert get(guest, server, "/latest/meta-data/public-ipv4") == (200, b"198.51.100.10")
    assert get(guest, server, "/latest/meta-data/public-keys") == (200, f"{KEY}\n".encode())
    assert get(guest, server, "/latest/meta-data/public-keys/0/openssh-key") == (200, f"{KEY}\n".encode())
    assert get(guest, server, "/latest/user-data") == (200, USER_DATA)


def test_and_of_nobody_else(second):
    assert get(second, "10.1.1.1", "/latest/meta-data/local-hostname") == (200, b"vm11")
    assert get(second, "10.1.1.1", "/latest/user-data") == (404, b"")
    assert password(second, "10.1.1.1") == "saved_password"


def test_who_takes_the_address_of_another_machine_learns_nothing(lab, guest, second):
    guest.run("ip", "link", "set", "eth0", "down")  # nobody defends the address
    second.configure("10.1.1.10")

    stolen = get(second, "10.1.1.1", "/latest/user-data")

    second.configure("10.1.1.11")
    guest.run("ip", "link", "set", "eth0", "up")
    guest.dhcp()
    assert stolen == (0, b"")
    assert get(guest, "10.1.1.1", "/latest/meta-data/local-hostname") == (200, b"vm10")


def test_the_script_of_the_guest_image_gets_what_it_asks_for(guest):
    """The words of its ``cloud-setup``, with the same program."""
    asked = "busybox wget -q -O - --header 'DomU_Request: send_my_password' http://10.1.1.1:8080/"
    keys = "busybox wget -q -O - http://10.1.1.1/latest/meta-data/ | while read -r key; do echo [$key]; done"

    assert guest.run("sh", "-c", asked) == "first"
    assert "[local-hostname]\n" in guest.run("sh", "-c", keys)
    assert guest.run("sh", "-c", keys).endswith("[vm-id]\n")


def test_a_password_is_told_until_it_is_acknowledged_and_never_again(lab, guest):
    assert [password(guest, "10.1.1.1") for _ in range(2)] == ["first", "first"]
    assert password(guest, "10.1.1.1", "saved_password") == "saved_password"
    assert password(guest, "10.1.1.1") == "saved_password"
    assert lab.status()["fetched_passwords"] == [MACHINE["uuid"]]

    # Whatever comes: the same document, another one, a new process.
    lab.apply()
    assert password(guest, "10.1.1.1") == "saved_password"
    lab.apply(dhcp=[*CARDS, card(12)])
    _kill_metadata(lab.host)
    lab.apply()
    assert password(guest, "10.1.1.1") == "saved_password"
    data = lab.host.root / "state" / "metadata" / "data" / lab.network
    assert "first" not in (data / "10.1.1.10.json").read_text()


def test_a_new_password_is_told_again(lab, guest):
    lab.apply(machines=[{**MACHINE, "password": "second"}, machine(11)])

    assert password(guest, "10.1.1.1") == "second"
    assert lab.status()["fetched_passwords"] == []


def test_what_changes_is_told_without_a_restart(lab, guest):
    before = lab.host.processes()

    lab.apply(machines=[{**MACHINE, "user_data": None, "offering": "large"}, machine(11)])

    assert get(guest, "10.1.1.1", "/latest/meta-data/service-offering") == (200, b"large")
    assert get(guest, "10.1.1.1", "/latest/user-data") == (404, b"")
    assert lab.host.processes() == before


def test_a_machine_that_left_is_a_stranger(lab, guest, second):
    lab.apply(dhcp=CARDS[:1], machines=[MACHINE])

    assert get(second, "10.1.1.1", "/latest/meta-data/local-hostname", patience=0.5) == (0, b"")
    lab.apply(dhcp=CARDS, machines=[MACHINE, machine(11)])
    assert get(second, "10.1.1.1", "/latest/meta-data/local-hostname") == (200, b"vm11")


def test_the_process_that_speaks_with_guests_has_no_rights(lab, guest):
    pid = _metadata(lab.host)
    status = dict(line.split(":\t", 1) for line in lab.host.run("cat", f"/proc/{pid}/status").splitlines())

    assert status["Uid"].split() == ["64737"] * 4
    assert status["Groups"].split() == []
    assert {status[name] for name in ("CapEff", "CapPrm")} == {"0" * 16}
    assert lab.host.run("readlink", f"/proc/{pid}/root").strip() == str(lab.host.root / "state" / "metadata")
    spaces = {lab.host.run("readlink", f"/proc/{each}/ns/net") for each in ("self", pid)}
    assert len(spaces) == 2
    assert lab.run("readlink", "/proc/self/ns/net") not in spaces


def test_one_process_serves_all_routers_and_is_restarted_for_all(lab, other, guest):
    other.apply(dhcp=[card(20)], machines=[machine(20)])
    stranger = other.guest(mac(20), "vm20")
    stranger.dhcp()
    before = _metadata(lab.host)

    _kill_metadata(lab.host)
    assert lab.host.agent("heal")["result"] == {}

    assert _metadata(lab.host) != before
    names = [get(space, "10.1.1.1", "/latest/meta-data/local-hostname")[1] for space in (guest, stranger)]
    assert names == [b"vm10", b"vm20"]


def test_it_runs_from_the_zip_that_hosts_get(world, tmp_path):
    """The program, the process that it starts, and all that they read of themselves."""
    archive = tmp_path / "agent.pyz"
    zipapp.create_archive(HERE, archive, main="agent.router.__main__:main", filter=_is_ours, compressed=True)
    host = world.host()
    given = document(3, dhcp=[card(30)], machines=[machine(30)])
    words = ("-m", "agent.router", "--root", str(host.state), "--layout", str(host.layout), "apply")

    done = subprocess.run(  # noqa: S603
        host.words("env", f"PYTHONPATH={archive}", PYTHON, *words),
        input=json.dumps(given),
        capture_output=True,
        text=True,
        cwd="/",
    )

    assert done.returncode == 0, done.stderr
    guest = world.guest(host, "cpb-x1003", mac(30), "vm30")
    guest.dhcp()
    assert get(guest, "10.1.1.1", "/latest/meta-data/local-hostname") == (200, b"vm30")
    assert host.agent("plan", document=given)["result"] == []


def _is_ours(path):
    return path.parts[0] == "agent" and (path.suffix == ".py" or "." not in path.name)


def _metadata(host):
    (pid,) = [pid for pid, words in host.processes().items() if "metadata.server" in words]
    return pid


def _kill_metadata(host):
    host.run("kill", "-9", str(_metadata(host)))
    wait(lambda: not [words for words in host.processes().values() if "metadata.server" in words])
