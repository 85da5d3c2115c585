import contextlib

import pytest

from tests.lab.tools.cloud import World
from tests.lab.tools.documents import document
from tests.lab.tools.traffic import Server


@pytest.fixture(scope="module")
def world():
    made = World()
    yield made
    made.close()


@pytest.fixture(scope="module")
def host(world):
    return world.host()


@pytest.fixture
def servers():
    """Started by a test, gone after it."""
    with contextlib.ExitStack() as stack:

        def start(space, port, **kw):
            server = Server(space, port, **kw)
            stack.callback(server.close)
            return server

        yield start


class Lab:
    """One network on one host, whose document a test changes; every change is a new generation."""

    def __init__(self, world, host, number):
        self.world, self.host, self.number = world, host, number
        self.generation = 0
        self.given = {}
        self.network = document(number)["network"]

    def document(self, **given):
        self.generation += 1
        self.given = {**self.given, **given}
        return document(self.number, self.generation, **self.given)

    def apply(self, **given):
        return self.host.apply(self.document(**given))

    def guest(self, mac, name):
        return self.world.guest(self.host, f"cpb-x{1000 + self.number}", mac, name)

    def run(self, *command, **kw):
        return self.host.router(self.network, *command, **kw)

    def status(self):
        return self.host.status(self.network)


@pytest.fixture(scope="module")
def lab(world, host):
    """Number 1: the public address is 198.51.100.10."""
    return Lab(world, host, 1)


@pytest.fixture(scope="module")
def other(world, host):
    """Number 2: the same subnet, 198.51.100.11."""
    return Lab(world, host, 2)
