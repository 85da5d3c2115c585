import json
import socket
import ssl
import threading

import pytest
from django.db import connection

from agent.http.identity import Identity
from apps.agents import driver
from apps.agents.listener import Listener
from apps.agents.services import authority
from apps.agents.services.files import FILES
from apps.infrastructure.models import Host


@pytest.fixture(autouse=True)
def own_files(tmp_path, monkeypatch):
    monkeypatch.setenv("AGENT_FILES", str(tmp_path / "files"))
    monkeypatch.setattr(driver, "_made", [])
    FILES.forget()
    yield
    FILES.forget()


@pytest.fixture
def kvm(make):
    """A host of KVM whose certificate a test may ask for."""
    row = make.host("kvm-1")
    Host.all_tenants.filter(pk=row.pk).update(hypervisor="KVM", url="http://127.0.0.1:1")
    return Host.all_tenants.get(pk=row.pk)


@pytest.fixture
def identity(tmp_path):
    """What the agent of a host has on disk."""
    (tmp_path / "agent").mkdir()
    return Identity(tmp_path / "agent")


@pytest.fixture
def door(transactional_db):
    """The listener as it runs, on a port of this machine."""
    listening = socket.create_server(("127.0.0.1", 0))
    listener = Listener(listening)
    thread = threading.Thread(target=listener.serve, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{listening.getsockname()[1]}"
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(10)
    connection.close()


@pytest.fixture
def ask(door):
    """A request by who has this key and certificate (a file), or none: status and answer."""

    def call(path, body=None, pair=None, trust=None):
        context = ssl.create_default_context(cadata=trust or authority.bundle())
        context.check_hostname = False
        if pair:
            context.load_cert_chain(pair)
        host, port = door.removeprefix("https://").split(":")
        with context.wrap_socket(socket.create_connection((host, int(port)), 10)) as secure:
            data = json.dumps(body or {}).encode()
            secure.sendall(f"POST {path} HTTP/1.1\r\nHost: m\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
            said = b"".join(iter(lambda: secure.recv(65536), b""))
        head, _, rest = said.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(rest)

    return call
