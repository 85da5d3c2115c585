import pytest

from agent.host.specs import NicSpec
from agent.http.errors import Busy, Invalid, Refused, Unknown
from agent.http.keys import Deadline
from agent.http.log import Log
from agent.networks import HostNetworks, said
from agent.state import errors

NIC = NicSpec("5" * 8 + "-0000-4000-8000-000000000001", "02:00:00:00:00:01", "5" * 8 + "-0000-4000-8000-000000000002")
LAYOUT = {"physical": {"net": {"device": "eth7"}}, "guest": "net", "public": "net"}
NOW = Deadline(5)


@pytest.fixture
def networks(tmp_path):
    return HostNetworks(tmp_path / "networks", Log())


def test_a_host_that_was_not_told_its_physical_networks_plugs_nothing_in(networks):
    with pytest.raises(Refused, match="has not been told its physical networks"):
        networks.ensure(NIC, NOW)
    with pytest.raises(Refused, match="has not been told its physical networks"):
        networks.apply({"network": NIC.network}, NOW)

    assert (networks.generations(), networks.machines(), networks.fetched_passwords()) == ({}, {}, {})
    assert networks.generation(NIC.network, NOW) is None


def test_the_layout_is_known_after_a_restart(networks, tmp_path):
    networks.describe(LAYOUT, NOW)

    again = HostNetworks(tmp_path / "networks", Log())

    assert again.routers.layout.guest_segment("101").physical.device == "eth7"


def test_a_layout_with_an_unknown_key_is_refused_by_its_name_and_the_old_one_holds(networks, tmp_path):
    networks.describe(LAYOUT, NOW)

    with pytest.raises(Invalid, match="colour: unknown key"):
        networks.describe({**LAYOUT, "colour": "blue"}, NOW)

    again = HostNetworks(tmp_path / "networks", Log())
    assert again.routers.layout == networks.routers.layout
    assert networks.routers.layout.guest == "net"


def test_a_card_in_a_segment_that_the_host_cannot_keep_apart_is_refused(networks):
    networks.describe(LAYOUT, NOW)

    with pytest.raises(Invalid, match="kept apart by vlan, not by vxlan"):
        networks.ensure(NicSpec(NIC.uuid, NIC.mac, NIC.network, "vxlan:7"), NOW)

    assert networks._cards() == set()


@pytest.mark.parametrize(("inner", "outer"), [(errors.Invalid, Invalid), (errors.Busy, Busy), (errors.Failed, Unknown)])
def test_errors_of_routers_are_told_as_those_of_calls(inner, outer):
    with pytest.raises(outer, match="why"), said():
        raise inner("why")
