import io
import json
import threading

import pytest

from agent.http.calls import Calls
from agent.http.enrol import enrol
from agent.http.identity import Identity
from agent.http.keys import Keys
from agent.http.log import Log
from agent.http.server import Server
from apps.hypervisors.agent_client import Agents, Credentials
from apps.hypervisors.base import HostAddress
from tests.agent.manager import FakeManager


class Lines(io.StringIO):
    """What was logged, as objects."""

    def all(self):
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def of(self, event):
        return [line for line in self.all() if line["event"] == event]


@pytest.fixture
def lines():
    return Lines()


@pytest.fixture
def log(lines):
    return Log(lines)


@pytest.fixture
def manager(tmp_path):
    with FakeManager(tmp_path / "manager").serving() as manager:
        yield manager


@pytest.fixture
def identity(tmp_path, manager):
    """Of a host that was enrolled."""
    identity = Identity(tmp_path / "state")
    enrol(identity, manager.url, manager.token(), {})
    return identity


@pytest.fixture
def calls(tmp_path, log):
    return Calls(Keys(tmp_path / "journal"), log)


@pytest.fixture
def server(identity, calls, log):
    server = Server(("127.0.0.1", 0), identity, calls, log, {"version": "1"})
    server.start()
    yield server
    server.close()


@pytest.fixture
def address(server, identity):
    return HostAddress(1, "h1", f"http://127.0.0.1:{server.port}", identity.enrolled["host"])


@pytest.fixture
def agents(manager):
    return Agents(Credentials(manager.authority_file, manager.pair), lambda: "job-7")


@pytest.fixture
def stop():
    event = threading.Event()
    yield event
    event.set()
