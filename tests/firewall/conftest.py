from types import SimpleNamespace

import pytest

from apps.accounts.tenants import caller_for
from apps.core.errors import CloudError
from apps.firewall.models import Member, Rule, SecurityGroup, SecurityGroupRule, StaticNat
from apps.network.services import public
from tests import centre
from tests.network import scenes

ROWS = (Rule, SecurityGroup, SecurityGroupRule)


def counts():
    rows = {model.__name__: model.all_tenants.count() for model in ROWS}
    return rows, StaticNat.objects.count(), Member.objects.count()


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
def w(db, make, monkeypatch):
    """Alice has a network that is up, with two machines, its source NAT address ``nat`` and another one, ``ip``."""
    found = scenes.up(scenes.world(make, monkeypatch))
    address = public.assigned(public.acquire(owner=found.alice, zone=found.centre.zone, network=found.network))
    nat = public.source_nat(found.network)
    other = centre.machine(make, found.alice, found.network, state="Running")
    mine = {"caller": caller_for(found.alice), "bob": make.caller("bob"), "root": make.root()}
    return SimpleNamespace(**vars(found), ip=address, nat=nat, other=other, **mine)


@pytest.fixture
def document(w):
    """A section of what the router knows."""

    def section(name):
        (found,) = w.cloud.routers[str(w.network.uuid)].values()
        return found[name]

    return section
