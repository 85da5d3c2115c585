import pytest

from apps.configuration.store import STORE
from tests.compute.world import World


@pytest.fixture(autouse=True)
def no_setting_of_another_test():
    STORE.forget()
    yield
    STORE.forget()


@pytest.fixture
def world(db, make, monkeypatch):
    return World(make, monkeypatch)


@pytest.fixture
def vm(world):
    """A running machine of Alice's, deployed as a client does it."""
    return world.deploy(name="web")
