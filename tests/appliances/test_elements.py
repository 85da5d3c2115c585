"""Elements of providers: what an operator's script switches on before the provider."""

import pytest

from apps.appliances.models import Element
from apps.core.errors import CloudError
from apps.infrastructure.models import PhysicalNetwork, ServiceProvider
from apps.infrastructure.services import physical_networks
from tests.conftest import unknown

WORDS = {"VirtualRouter": "VirtualRouter", "VpcVirtualRouter": "VirtualRouter", "InternalLbVm": "InternalLoadBalancer"}


@pytest.fixture
def carrier(make, db):
    return physical_networks.create(zone=make.zone(), name="p")


@pytest.fixture
def root(make, db):
    return make.root()


@pytest.mark.parametrize("name", WORDS)
def test_a_provider_with_an_element_is_enabled_after_it(api, root, carrier, name):
    word, key = WORDS[name], f"{WORDS[name]}Element".lower()
    provider = ServiceProvider.all_tenants.get(physical_network=carrier, name=name)
    (row,) = api(root, f"list{word}Elements", nspid=provider.uuid)[key]
    assert (row["enabled"], row["nspid"]) == (False, str(provider.uuid))
    with pytest.raises(CloudError, match=f"provider {name} is not ready: its element is not enabled") as error:
        api(root, "updateNetworkServiceProvider", id=provider.uuid, state="Enabled")
    assert (error.value.code, ServiceProvider.all_tenants.get(pk=provider.pk).state) == (431, "Disabled")

    assert api(root, f"configure{word}Element", id=row["id"], enabled=True)[key]["enabled"] is True

    on = api(root, "updateNetworkServiceProvider", id=provider.uuid, state="Enabled")["networkserviceprovider"]
    assert on["state"] == "Enabled"
    assert api(root, f"list{word}Elements", enabled=True)["count"] == 1


@pytest.mark.parametrize("name", ["ConfigDrive", "SecurityGroupProvider"])
def test_a_provider_without_one_is_enabled_at_once(api, root, carrier, name):
    provider = ServiceProvider.all_tenants.get(physical_network=carrier, name=name)

    assert not Element.all_tenants.filter(provider=provider).exists()
    on = api(root, "updateNetworkServiceProvider", id=provider.uuid, state="Enabled")["networkserviceprovider"]
    assert on["state"] == "Enabled"


@pytest.mark.parametrize(
    ("name", "command"), [("VirtualRouter", "VirtualRouter"), ("InternalLbVm", "InternalLoadBalancer")]
)
def test_making_one_that_is_there_gives_it(api, root, carrier, name, command):
    provider = ServiceProvider.all_tenants.get(physical_network=carrier, name=name)
    there = Element.all_tenants.get(provider=provider)

    made = api(root, f"create{command}Element", nspid=provider.uuid)[f"{command}Element".lower()]

    assert (made["id"], Element.all_tenants.count()) == (str(there.uuid), 3)


def test_other_providers_have_none(api, root, carrier):
    provider = ServiceProvider.all_tenants.get(physical_network=carrier, name="ConfigDrive")
    for command in ("createVirtualRouterElement", "createInternalLoadBalancerElement"):
        for nspid in (provider.uuid, unknown()):
            with pytest.raises(CloudError) as error:
                api(root, command, nspid=nspid)
            assert error.value.code == 431
    assert (Element.all_tenants.count(), PhysicalNetwork.all_tenants.count()) == (3, 1)
