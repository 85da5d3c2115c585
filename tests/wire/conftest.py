import pytest

from tests.clouds import Cloud


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """A `portal up` with the demo cloud, for all tests of a process."""
    cloud = Cloud(tmp_path_factory.mktemp("demo") / "cloud").up()
    if not cloud.endpoint.exists():
        cloud.ended()
        raise RuntimeError(f"the cloud does not come up: {cloud.said}")
    yield cloud
    cloud.down()


@pytest.fixture(scope="session")
def user(demo):
    """A tenant's login, as endpoint.json says it, and where the API is."""
    told = demo.told()
    return next(each for each in told["users"] if each["role"] == "User") | {"api": told["api"]}
