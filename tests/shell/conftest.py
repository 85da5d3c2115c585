import pytest

from tests.clouds import Cloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """One for all tests of a module, running and without a demo."""
    cloud = Cloud(tmp_path_factory.mktemp("cloud")).up("--no-demo", "--web", "2")
    yield cloud
    cloud.down()


@pytest.fixture
def fresh(tmp_path):
    cloud = Cloud(tmp_path / "data")
    yield cloud
    if cloud.process:
        cloud.down()
