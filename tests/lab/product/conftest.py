import pytest

from tests.lab.agents import program
from tests.lab.product.site import Site

HOSTS = ("h3", "h4")  # the first two have agents of another manager


@pytest.fixture(scope="session")
def site(lab):
    """The product with one zone on the hosts of the lab."""
    site = Site(lab)
    lab.up(4)
    try:
        site.up()
        site.build()
        built = program(lab.directory)
        for name in HOSTS:
            site.join(name, built)
        site.store()
        yield site
    finally:
        site.down()
