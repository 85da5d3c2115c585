"""What guests are told: the answers, the files they come from, and the process over a socket of this machine."""

import array
import json
import os
import socket
import threading
from contextlib import suppress

import pytest

from agent.router.document import read
from agent.router.metadata import answers, files, server
from agent.router.metadata.answers import metadata
from tests.lab.tools.documents import ROUTER, address, document, machine, network

KEYS = ["ssh-rsa AAA one", "ssh-ed25519 BBB two"]


def told(last=10, fetched=None, **given):
    """The parsed file of a machine."""
    values = {"keys": KEYS, "zone": "z1", "offering": "small", **given}
    return json.loads(
        files.render(read(document(machines=[machine(last, **values)])), fetched or {})[f"10.1.1.{last}.json"]
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", b"1.0\n2009-04-04\nlatest\n"),
        ("/latest", b"meta-data/\nuser-data\n"),
        ("/latest/meta-data/local-hostname", b"vm10"),
        ("/latest/meta-data/local-ipv4", b"10.1.1.10"),
        ("/latest/meta-data/public-ipv4", b"198.51.100.10"),
        ("/latest/meta-data/availability-zone", b"z1"),
        ("/latest/meta-data/placement/", b"availability-zone\n"),
        ("/latest/meta-data/placement/availability-zone", b"z1"),
        ("/latest/meta-data/service-offering", b"small"),
        ("/latest/meta-data/instance-id", b"00000000-0000-0000-0000-00000000000a"),
        ("/latest/local-hostname", b"vm10"),
        ("/1.0/meta-data/vm-id", b"00000000-0000-0000-0000-00000000000a"),
        ("/2016-09-02/meta-data/hostname", b"vm10"),
        ("/latest/meta-data/public-keys", b"ssh-rsa AAA one\nssh-ed25519 BBB two\n"),
        ("/latest/meta-data/public-keys/", b"0=key-0\n1=key-1\n"),
        ("/latest/meta-data/public-keys/1", b"openssh-key\n"),
        ("/latest/meta-data/public-keys/1/openssh-key", b"ssh-ed25519 BBB two\n"),
        ("/latest/user-data", answers.USER_DATA),
    ],
)
def test_paths_are_those_of_cloudstack_and_of_ec2(path, expected):
    assert metadata(path, told(), True) == (200, expected)


def test_the_listing_names_what_there_is():
    assert metadata("/latest/meta-data/", told(), True)[1].decode().split() == [
        "availability-zone",
        "hostname",
        "instance-id",
        "instance-type",
        "local-hostname",
        "local-ipv4",
        "mac",
        "placement/",
        "public-hostname",
        "public-ipv4",
        "public-keys",
        "service-offering",
        "vm-id",
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/latest/meta-data/colour",
        "/latest/meta-data/public-keys/2",
        "/latest/meta-data/public-keys/x/openssh-key",
        "/latest/meta-data/public-keys/²",
        "/latest/meta-data/../../etc/passwd",
        "/latest/dynamic",
        "/etc/passwd",
        "/2016-9-2/meta-data/",
    ],
)
def test_there_is_nothing_else(path):
    assert metadata(path, told(), True) == (404, b"")


def test_strangers_and_machines_without_keys_or_user_data_get_nothing():
    assert metadata("/latest/meta-data/", None, False) == (404, b"")
    assert metadata("/latest/user-data", told(), False) == (404, b"")
    assert metadata("/latest/", told(), False) == (200, b"meta-data/\n")
    assert metadata("/latest/meta-data/public-keys", told(keys=[]), False) == (404, b"")


def test_the_public_address_is_the_one_that_is_mapped_to_the_machine():
    given = {
        "public": [address(10, source_nat=True), address(11)],
        "static_nat": [{"ip": "198.51.100.11", "to": "10.1.1.10"}],
    }
    rendered = files.render(read(document(machines=[machine(10), machine(12)], **given)), {})

    found = [json.loads(rendered[name])["meta"]["public-ipv4"] for name in ("10.1.1.10.json", "10.1.1.12.json")]
    assert found == ["198.51.100.11", "198.51.100.10"]


def test_user_data_is_a_file_of_its_own_and_only_where_it_is_served():
    machines = [machine(10, user_data=b"\0\xff\r\n"), machine(11)]

    rendered = files.render(read(document(machines=machines)), {})

    assert sorted(rendered) == ["10.1.1.10.data", "10.1.1.10.json", "10.1.1.11.json"]
    assert rendered["10.1.1.10.data"] == b"\0\xff\r\n"
    without = [name for name in ROUTER if name != "UserData"]
    assert files.render(read(document(machines=machines, services=without)), {}) == {}


def test_a_password_that_was_fetched_is_told_no_more_but_a_new_one_is():
    about = told(password="one")["password_id"]
    uuid = machine(10)["uuid"]

    found = [told(password=word, fetched=known) for word, known in (("one", {uuid: about}), ("two", {uuid: about}))]
    assert [each["password"] for each in found] == ["", "two"]


def test_receipts_of_machines_that_went_and_of_old_passwords_are_forgotten(tmp_path):
    folder = files.Folder(tmp_path, network())
    folder.receipts.mkdir(parents=True)
    same, new, gone, silent = (machine(last)["uuid"] for last in (10, 11, 12, 13))
    (folder.receipts / same).write_text(told(10, password="same")["password_id"])
    (folder.receipts / new).write_text(told(11, password="old")["password_id"])
    (folder.receipts / gone).write_text("x")
    (folder.receipts / silent).write_text(told(13, password="said")["password_id"])
    machines = [machine(10, password="same"), machine(11, password="new"), machine(13)]

    folder.forget_receipts(read(document(machines=machines)))

    assert sorted(folder.fetched()) == [same, silent]


@pytest.mark.parametrize("request_", [b"", b"GET", b"GET / HTTP/1.0 x\r\n", b"\r\n\r\n", b"a b c d\r\n\r\n"])
def test_what_is_no_request_is_none(request_):
    assert answers.parse(request_) is None


def test_a_request_is_read():
    text = b"GET /latest/user-data?x=1 HTTP/1.1\r\nHost: 10.1.1.1\r\nDomU_Request: send_my_password\r\n\r\n"

    assert answers.parse(text) == (
        "GET",
        "/latest/user-data",
        {"host": "10.1.1.1", "domu_request": "send_my_password"},
    )


@pytest.fixture
def process(tmp_path, monkeypatch):
    """The server's loop in a thread, for the one guest that this machine is."""
    monkeypatch.setattr(server, "ROOT", str(tmp_path))
    given = {"keys": KEYS, "password": "secret", "user_data": os.urandom(300_000)}
    rendered = files.render(read(document(machines=[machine(10, **given)])), {})
    data = tmp_path / "data" / network()
    data.mkdir(parents=True)
    (tmp_path / "receipts" / network()).mkdir(parents=True)
    (data / "127.0.0.1.json").write_bytes(rendered["10.1.1.10.json"])
    (data / "127.0.0.1.data").write_bytes(rendered["10.1.1.10.data"])
    control = socket.socket(socket.AF_UNIX)
    control.bind(str(tmp_path / "control"))
    control.listen()
    made = server.Server(control, "build-1")
    thread = threading.Thread(target=made.run)
    thread.start()
    yield Process(tmp_path, given["user_data"])
    Process(tmp_path).say({"do": "end"})
    thread.join()
    control.close()


class Process:
    def __init__(self, folder, user_data=b""):
        self.folder, self.user_data, self.ports = folder, user_data, {}

    def say(self, order, sockets=()):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.folder / "control"))
            numbers = array.array("i", [each.fileno() for each in sockets])
            beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)] if sockets else []
            line.sendmsg([json.dumps(order).encode()], beside)
            answer = line.recv(1 << 16)
        return json.loads(answer) if answer else None

    def listen(self, port, space=1):
        """``port`` is the one that the process believes it is."""
        made = socket.socket()
        made.bind(("127.0.0.1", 0))
        made.listen()
        self.ports[port] = made.getsockname()[1]
        with made:
            name = f"10.1.1.1:{port}"
            return self.say({"do": "listen", "network": network(), "space": space, "sockets": [name]}, [made])

    def raw(self, port, request):
        """All that comes back; nothing where the connection is cut."""
        with socket.create_connection(("127.0.0.1", self.ports[port]), 5) as line, suppress(ConnectionError):
            line.sendall(request)
            return b"".join(iter(lambda: line.recv(1 << 16), b""))
        return b""

    def get(self, port, path="/", **headers):
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head, _, body = self.raw(port, f"GET {path} HTTP/1.0\r\n{lines}\r\n".encode()).partition(b"\r\n\r\n")
        return int(head.split()[1]), body


def test_user_data_arrives_whole(process):
    process.listen(80)

    assert process.get(80, "/latest/user-data") == (200, process.user_data)


def test_a_password_is_told_until_it_is_acknowledged(process):
    process.listen(8080)
    send, saved = {"DomU_Request": "send_my_password"}, {"DomU_Request": "saved_password"}

    assert process.get(8080, **send) == (200, b"secret")
    assert process.get(8080, **send) == (200, b"secret")
    assert process.get(8080) == (400, b"bad_request")
    assert process.get(8080, **saved) == (200, b"saved_password")
    assert process.get(8080, **send) == (200, b"saved_password")
    receipt = process.folder / "receipts" / network() / machine(10)["uuid"]
    assert receipt.read_text() == told(10, password="secret")["password_id"]


def test_a_new_password_is_told_again_even_if_the_old_one_is_acknowledged_late(process):
    process.listen(8080)
    path = process.folder / "data" / network() / "127.0.0.1.json"
    for acknowledged_late in (False, True):
        process.get(8080, DomU_Request="send_my_password")
        if not acknowledged_late:
            process.get(8080, DomU_Request="saved_password")
        word = f"password {acknowledged_late}"
        path.write_text(json.dumps(told(10, password=word)))
        if acknowledged_late:
            process.get(8080, DomU_Request="saved_password")

        assert process.get(8080, DomU_Request="send_my_password") == (200, word.encode())


def test_who_acknowledges_what_it_was_not_told_is_told_still(process):
    process.listen(8080)

    assert process.get(8080, DomU_Request="saved_password") == (200, b"saved_password")

    assert process.get(8080, DomU_Request="send_my_password") == (200, b"secret")


def test_requests_are_small_and_of_one_kind(process):
    process.listen(80)

    assert process.raw(80, b"PUT /latest/api/token HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.0 405 ")
    assert process.raw(80, b"\x16\x03\x01\r\n\r\n").startswith(b"HTTP/1.0 400 ")
    assert process.raw(80, b"GET /" + b"x" * 10_000) == b""


def test_a_guest_that_says_nothing_is_sent_away(process, monkeypatch):
    monkeypatch.setattr(server, "SECONDS", 0.1)
    process.listen(80)

    assert process.raw(80, b"GET / HT") == b""


def test_one_network_cannot_take_all_connections(process, monkeypatch):
    monkeypatch.setattr(server, "PER_NETWORK", 2)
    process.listen(80)
    idle = [socket.create_connection(("127.0.0.1", process.ports[80]), 5) for _ in range(2)]

    assert process.raw(80, b"") == b""
    for line in idle:
        line.close()


def test_sockets_are_held_until_they_are_closed_or_their_namespace_is_another(process):
    process.listen(80)
    process.listen(8080)
    held = process.say({"do": "hold"})["networks"]
    assert held == {network(): {"space": 1, "sockets": ["10.1.1.1:80", "10.1.1.1:8080"]}}

    assert process.listen(80, space=2)["networks"] == {network(): {"space": 2, "sockets": ["10.1.1.1:80"]}}
    with pytest.raises(ConnectionRefusedError):
        process.get(8080)

    assert process.say({"do": "close", "network": network(), "sockets": None})["networks"] == {}
    with pytest.raises(ConnectionRefusedError):
        process.get(80)


def test_orders_that_make_no_sense_change_nothing(process):
    process.listen(80)

    assert process.say({"do": "listen", "network": network(), "space": 1, "sockets": ["10.1.1.1:81"]}) is None
    assert process.say({}) is None
    assert process.say({"do": "hold"})["networks"] == {network(): {"space": 1, "sockets": ["10.1.1.1:80"]}}
    assert process.get(80, "/latest/meta-data/local-hostname") == (200, b"vm10")
