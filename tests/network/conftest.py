from types import SimpleNamespace

import pytest

from apps.accounts.tenants import caller_for
from apps.configuration.store import STORE
from apps.core.errors import CloudError
from apps.network.models import IpRange, Network, NetworkShare, PublicAddress, RangeAddress, Segment
from tests import centre

ROWS = (Network, IpRange, PublicAddress)


@pytest.fixture
def world(make, cloud, db):
    """A data centre, root, and alice with bob beside her."""
    found = centre.centre(make)
    alice, bob = make.account(), make.account("bob")
    root = make.root()
    return SimpleNamespace(
        centre=found, zone=found.zone, root=root, alice=caller_for(alice), bob=caller_for(bob), owner=alice
    )


def counts():
    rows = {
        model.__name__: model._base_manager.filter(removed=None).count() for model in (Network, IpRange, PublicAddress)
    }
    taken = RangeAddress.objects.exclude(taken_by="").count(), Segment.objects.exclude(network=None).count()
    return rows, taken, NetworkShare.objects.count()


@pytest.fixture
def refused(api):
    """Code and text of a refusal that has changed nothing."""

    def call(caller, command, /, **params):
        before = counts()
        with pytest.raises(CloudError) as error:
            api(caller, command, **params)
        assert counts() == before
        return error.value.code, str(error.value)

    return call


@pytest.fixture
def set_to(db):
    """Store a setting as an operator does; what processes keep of it ends with the test."""
    yield lambda name, value, **where: STORE.store(name, value, **where)
    STORE.forget()
