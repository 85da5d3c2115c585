"""A data centre made call by call, and what refuses to be made or to go."""

import pytest

from apps.accounts.models import Account
from apps.accounts.tenants import caller_for
from apps.core.errors import CloudError
from apps.core.seeds import sow
from apps.infrastructure.models import (
    Cluster,
    Host,
    PhysicalNetwork,
    Pod,
    PodAddress,
    ServiceProvider,
    TrafficType,
    Zone,
)

MODELS = (Zone, Pod, PodAddress, Cluster, Host, PhysicalNetwork, ServiceProvider, TrafficType)
LB = "InternalLoadBalancer"
POD = {"gateway": "172.16.0.1", "netmask": "255.255.0.0", "startip": "172.16.0.2", "endip": "172.16.0.11"}


@pytest.fixture
def root(db):
    sow()
    return caller_for(Account.all_tenants.select_related("domain", "role").get(name="admin"))


def counts():
    return {model.__name__: model._base_manager.count() for model in MODELS}


def refused(api, caller, command, /, **params):
    before = counts()
    with pytest.raises(CloudError) as error:
        api(caller, command, **params)
    assert counts() == before
    return error.value.code


@pytest.fixture
def zone(api, root):
    made = {"name": "Z1", "networktype": "Advanced", "dns1": "127.0.0.1", "internaldns1": "127.0.0.1"}
    return api(root, "createZone", guestcidraddress="10.1.1.0/24", **made)["zone"]["id"]


@pytest.fixture
def pod(api, root, zone):
    return api(root, "createPod", name="POD1", zoneid=zone, **POD)["pod"]["id"]


@pytest.fixture
def cluster(api, root, zone, pod):
    params = {"clustername": "C1", "clustertype": "CloudManaged", "hypervisor": "Simulator"}
    return api(root, "addCluster", zoneid=zone, podid=pod, **params)["cluster"][0]["id"]


@pytest.fixture
def host(api, root, zone, pod, cluster):
    params = {"hypervisor": "Simulator", "url": "http://sim/c1/h1", "username": "root", "password": "password"}
    return api(root, "addHost", zoneid=zone, podid=pod, clusterid=cluster, **params)["host"][0]


def test_a_host_is_what_it_says_of_itself_and_up_at_once(host):
    assert {n: host[n] for n in ("name", "state", "resourcestate", "type", "hypervisor", "cpunumber", "cpuspeed")} == {
        "name": "c1-h1",
        "state": "Up",
        "resourcestate": "Enabled",
        "type": "Routing",
        "hypervisor": "Simulator",
        "cpunumber": 4,
        "cpuspeed": 8000,
    }
    assert (host["memorytotal"], host["cpuallocated"]) == (8589934592, "0.00%")
    assert "password" not in str(host)


def test_the_same_url_is_another_host_each_time(api, root, zone, pod, cluster, host):
    params = {"hypervisor": "Simulator", "url": "http://sim/c1/h1", "hosttags": "fast,gpu"}
    again = api(root, "addHost", zoneid=zone, podid=pod, clustername="C1", **params)["host"][0]

    assert again["id"] != host["id"]
    assert again["hosttags"] == "fast,gpu"
    assert api(root, "listHosts")["count"] == 2
    assert api(root, "listHosts", name="c1-h1", type="routing")["count"] == 2


@pytest.mark.parametrize(
    "params",
    [
        {"networktype": "Other"},
        {"dns1": "localhost"},
        {"guestcidraddress": "10.1.1.5/24"},
        {"networktype": "Basic", "guestcidraddress": "10.1.1.0/24"},
        {"name": "Z1"},
        {"allocationstate": "Perhaps"},
    ],
)
def test_what_is_no_zone_is_refused(api, root, zone, params):
    given = {"name": "Z2", "networktype": "Advanced", "dns1": "127.0.0.1", "internaldns1": "127.0.0.1"}
    assert refused(api, root, "createZone", **(given | params)) == 431


@pytest.mark.parametrize(
    "params",
    [
        {"endip": "172.16.0.1"},  # ends before it begins
        {"startip": "10.0.0.1"},
        {"startip": "172.16.0.1"},  # the gateway
        {"netmask": "255.0.255.0"},
        {"gateway": "x"},
        {"startip": "172.16.0.5", "endip": "172.16.0.20"},  # overlaps POD1
        {"name": "POD1", "startip": "172.16.1.2", "endip": "172.16.1.9"},
    ],
)
def test_what_is_no_pod_is_refused(api, root, zone, pod, params):
    assert refused(api, root, "createPod", zoneid=zone, **({"name": "POD2"} | POD | params)) == 431


def test_a_pod_keeps_the_addresses_that_are_in_use(api, root, pod):
    assert PodAddress.objects.count() == 10
    PodAddress.objects.filter(ip="172.16.0.11").update(taken_by="x")

    assert refused(api, root, "updatePod", id=pod, endip="172.16.0.10") == 431
    assert api(root, "updatePod", id=pod, endip="172.16.0.15", name="P")["pod"]["endip"] == ["172.16.0.15"]
    assert PodAddress.objects.count() == 14
    assert refused(api, root, "deletePod", id=pod) == 431
    PodAddress.objects.update(taken_by="")
    assert api(root, "deletePod", id=pod) == {"success": True}


def test_nothing_goes_before_what_is_in_it(api, root, zone, pod, cluster, host):
    for command, row in (("deleteZone", zone), ("deletePod", pod), ("deleteCluster", cluster)):
        assert refused(api, root, command, id=row) == 431
    assert refused(api, root, "deleteHost", id=host["id"]) == 431
    assert api(root, "updateHost", id=host["id"], allocationstate="Disable")["host"]["resourcestate"] == "Disabled"
    for command, row in (
        ("deleteHost", host["id"]),
        ("deleteCluster", cluster),
        ("deletePod", pod),
        ("deleteZone", zone),
    ):
        assert api(root, command, id=row) == {"success": True}
    assert (api(root, "listZones"), api(root, "listHosts")) == ({}, {})


def test_a_host_goes_into_maintenance_and_comes_back(api, root, host):
    assert api(root, "prepareHostForMaintenance", id=host["id"])["host"]["resourcestate"] == "Maintenance"
    assert refused(api, root, "prepareHostForMaintenance", id=host["id"]) == 431
    assert api(root, "cancelHostMaintenance", id=host["id"])["host"]["resourcestate"] == "Enabled"
    assert api(root, "reconnectHost", id=host["id"])["host"]["state"] == "Up"


def test_a_physical_network_comes_with_its_providers_and_carries_each_traffic_once(api, root, zone):
    made = {"name": "P1", "zoneid": zone, "isolationmethods": "VLAN", "broadcastdomainrange": "ZONE"}
    network = api(root, "createPhysicalNetwork", **made)["physicalnetwork"]
    assert (network["state"], network["isolationmethods"]) == ("Disabled", "VLAN")
    for kind in ("Guest", "Management", "Public", "Storage"):
        row = api(root, "addTrafficType", physicalnetworkid=network["id"], traffictype=kind, kvmnetworklabel="br0")
        assert (row["traffictype"]["traffictype"], row["traffictype"]["kvmnetworklabel"]) == (kind, "br0")
    assert refused(api, root, "addTrafficType", physicalnetworkid=network["id"], traffictype="Public") == 431
    enabled = api(root, "updatePhysicalNetwork", id=network["id"], state="Enabled", vlan="100-200")["physicalnetwork"]
    assert (enabled["state"], enabled["vlan"]) == ("Enabled", "100-200")

    found = api(root, "listNetworkServiceProviders", physicalnetworkid=network["id"], state="Disabled")
    names = {row["name"]: row["id"] for row in found["networkserviceprovider"]}
    assert set(names) == {"VirtualRouter", "VpcVirtualRouter", "InternalLbVm", "ConfigDrive", "SecurityGroupProvider"}
    for name, key in (("VirtualRouter", "VirtualRouter"), ("VpcVirtualRouter", "VirtualRouter"), ("InternalLbVm", LB)):
        assert refused(api, root, "updateNetworkServiceProvider", id=names[name], state="Enabled") == 431
        listed = api(root, f"list{key}Elements", nspid=names[name])[f"{key.lower()}element"]
        assert [row["enabled"] for row in listed] == [False]
        assert api(root, f"configure{key}Element", id=listed[0]["id"], enabled=True)[f"{key.lower()}element"]["enabled"]
    for row in names.values():
        on = api(root, "updateNetworkServiceProvider", id=row, state="Enabled")["networkserviceprovider"]
        assert on["state"] == "Enabled"
    assert refused(api, root, "addNetworkServiceProvider", physicalnetworkid=network["id"], name="Nobody") == 431
    assert api(root, "deletePhysicalNetwork", id=network["id"]) == {"success": True}


@pytest.mark.parametrize("vlan", ["200-100", "x", "0-5", "1-99999999", "5-7,6"])
def test_what_are_no_segment_ids_is_refused(api, root, zone, vlan):
    assert refused(api, root, "createPhysicalNetwork", name="P", zoneid=zone, vlan=vlan) == 431


def test_capacity_is_what_hosts_have(api, root, zone, host):
    Host.all_tenants.kernel_update(memory_mib_used=512, cpu_mhz_used=1000, guests=1)

    rows = {row["type"]: row for row in api(root, "listCapacity", zoneid=zone)["capacity"]}

    assert {t: (rows[t]["capacityused"], rows[t]["capacitytotal"]) for t in (0, 1, 5, 90)} == {
        0: (512 << 20, 8 << 30),
        1: (1000, 32000),
        5: (0, 10),
        90: (0, 4),
    }
    assert (rows[0]["zonename"], rows[0]["percentused"]) == ("Z1", "6.25")
    assert api(root, "listCapacity", type=1)["count"] == 1
    shown = api(root, "listZones", id=zone, showcapacities=True)["zone"][0]["capacity"]
    assert sorted(row["type"] for row in shown if row["type"] in (0, 1, 5, 90)) == [0, 1, 5, 90]
    assert "capacity" not in api(root, "listZones", id=zone)["zone"][0]


def test_tenants_see_enabled_zones_without_their_insides(api, root, make, zone):
    alice = make.caller()
    assert api(alice, "listZones") == {}
    api(root, "updateZone", id=zone, allocationstate="Enabled")

    row = api(alice, "listZones", available=True)["zone"][0]

    assert (row["name"], row["allocationstate"]) == ("Z1", "Enabled")
    assert not row.keys() & {"dns1", "internaldns1", "guestcidraddress"}
    assert refused(api, alice, "listHosts") == 432


def test_regions_have_numbers(api, root):
    assert api(root, "listRegions")["region"][0] | {"endpoint": ""} == {
        "id": 1,
        "name": "Local",
        "endpoint": "",
        "gslbserviceenabled": True,
        "portableipserviceenabled": False,
    }
    assert api(root, "addRegion", id=2, name="Far", endpoint="http://far")["region"]["id"] == 2
    assert refused(api, root, "addRegion", id=2, name="Other", endpoint="http://o") == 431
    assert refused(api, root, "removeRegion", id=1) == 431
    assert api(root, "removeRegion", id=2) == {"success": True}


def test_hypervisors_are_those_that_are_known_or_there(api, root, zone, cluster):
    assert {row["name"] for row in api(root, "listHypervisors")["hypervisor"]} >= {"KVM", "VMware", "Ovm3", "External"}
    assert api(root, "listHypervisors", zoneid=zone)["hypervisor"] == [{"name": "Simulator"}]
