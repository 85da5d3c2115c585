"""Zones, pods, clusters and hosts: how they change, what they refuse, what stands in their books."""

from types import SimpleNamespace

import pytest
from django.utils import timezone

from apps.accounts.tenants import caller_for
from apps.core import audit, secret
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.hypervisors import fake
from apps.hypervisors.errors import Unknown
from apps.infrastructure.drivers import Joined
from apps.infrastructure.models import Cluster, Host, HostTag, PhysicalNetwork, Pod, PodAddress, Zone
from apps.infrastructure.services import hosts, physical_networks, zones
from tests import centre
from tests.conftest import unknown
from tests.network import scenes
from tests.test_concurrency import in_threads

MODELS = (Zone, Pod, Cluster, Host, PhysicalNetwork)


@pytest.fixture
def w(db, make, cloud):
    found = centre.centre(make)
    return SimpleNamespace(**vars(found), cloud=cloud, root=make.root(), host=found.hosts[0])


@pytest.fixture
def refused(api):
    def counts():
        return [model._base_manager.count() for model in (*MODELS, HostTag, PodAddress)]

    def call(caller, command, /, **params):
        before = counts()
        with pytest.raises(CloudError) as error:
            api(caller, command, **params)
        assert counts() == before
        return error.value.code, str(error.value)

    return call


def test_a_host_is_changed(api, w):
    row = api(w.root, "updateHost", id=w.host.uuid, name="new", url="http://there", hosttags="a,b,a")["host"]
    assert (row["name"], row["hosttags"], Host.all_tenants.get(name="new").url) == ("new", "a,b", "http://there")
    assert [(r["name"], r["isimplicit"]) for r in api(w.root, "listHostTags")["hosttag"]] == [
        ("a", False),
        ("b", False),
    ]

    api(w.root, "updateHost", id=w.host.uuid, hosttags="")

    assert api(w.root, "listHostTags") == {}
    assert "hosttags" not in api(w.root, "listHosts", id=w.host.uuid)["host"][0]


def test_a_host_is_disabled_and_enabled_again(api, w, refused):
    for word, state in (("Disable", "Disabled"), ("Disable", "Disabled"), ("Enable", "Enabled")):
        assert api(w.root, "updateHost", id=w.host.uuid, allocationstate=word)["host"]["resourcestate"] == state
    api(w.root, "prepareHostForMaintenance", id=w.host.uuid)
    assert refused(w.root, "updateHost", id=w.host.uuid, allocationstate="Enable")[0] == 431
    assert refused(w.root, "updateHost", id=w.host.uuid, allocationstate="Perhaps")[0] == 431


def test_passwords_of_hosts_are_kept_sealed(api, w, refused):
    given = {"username": "u", "password": "s3cret"}
    api(w.root, "updateHostPassword", hostid=w.host.uuid, **given)
    host = Host.all_tenants.get(pk=w.host.pk)
    assert (host.username, secret.unseal(host.password), "s3cret" in host.password) == ("u", "s3cret", False)

    api(w.root, "updateHostPassword", clusterid=w.cluster.uuid, **given)

    assert Host.all_tenants.exclude(password="").count() == 2
    assert refused(w.root, "updateHostPassword", **given)[0] == 431
    assert refused(w.root, "updateHostPassword", hostid=w.host.uuid, clusterid=w.cluster.uuid, **given)[0] == 431
    assert "s3cret" not in str(api(w.root, "listHosts"))


def test_a_host_that_does_not_answer_is_disconnected_until_it_does(api, w):
    w.cloud.fail("host.facts", Unknown("?"))

    with pytest.raises(CloudError, match="host h1 does not answer") as error:
        api(w.root, "reconnectHost", id=w.host.uuid)

    assert (error.value.code, Host.all_tenants.get(pk=w.host.pk).status) == (534, "Disconnected")
    row = api(w.root, "reconnectHost", id=w.host.uuid)["host"]
    assert (row["state"], row["version"]) == ("Up", "fake")


def test_hosts_are_found_by_what_they_are(api, make, w):
    vm = make.vm(make.account(), state="Running", host=w.host)
    for given, count in (
        ({"name": "h1"}, 1),
        ({"keyword": "h"}, 2),
        ({"state": "up", "resourcestate": "enabled", "type": "routing"}, 2),
        ({"hypervisor": "fake", "zoneid": w.zone.uuid, "podid": w.pod.uuid, "clusterid": w.cluster.uuid}, 2),
        ({"virtualmachineid": vm.uuid}, 1),
        ({"arch": "x86_64"}, 2),
        ({"arch": "s390x"}, 0),
        ({"version": "7"}, 0),
        ({"hahost": True}, 0),
        ({"details": "min"}, 2),
    ):
        assert (given, api(w.root, "listHosts", **given).get("count", 0)) == (given, count)
    with pytest.raises(CloudError):
        api(w.root, "listHosts", details="odd")


def test_a_host_that_holds_capacity_is_not_deleted(w, refused):
    Host.all_tenants.filter(pk=w.host.pk).kernel_update(guests=1, resource_state="Disabled")

    assert refused(w.root, "deleteHost", id=w.host.uuid, forced=True) == (
        536,
        "id: machines hold capacity of host h1",
    )


def test_hosts_belong_to_one_place(api, make, w, refused):
    other = make.row("infrastructure.Cluster", None)
    given = {"zoneid": w.zone.uuid, "podid": w.pod.uuid, "hypervisor": "Simulator", "url": "http://sim/h"}

    assert refused(w.root, "addHost", clusterid=other.uuid, **given)[0] == 431
    assert refused(w.root, "addHost", clusterid=w.cluster.uuid, **given)[1] == (
        "hypervisor: the hosts of cluster c are Fake"
    )
    assert refused(w.root, "addHost", **given)[0] == 431
    assert refused(w.root, "addHost", clustername="kvm", **given | {"hypervisor": "KVM"})[0] == 431
    row = api(w.root, "addHost", clustername="sim", **given)["host"][0]
    assert (row["clustername"], Cluster.all_tenants.get(name="sim").hypervisor) == ("sim", "Simulator")


def test_a_cluster_is_changed(api, w, refused):
    given = {"zoneid": w.zone.uuid, "podid": w.pod.uuid, "clustertype": "CloudManaged", "hypervisor": "Simulator"}
    row = api(w.root, "addCluster", clustername="c2", **given)["cluster"][0]

    changed = api(w.root, "updateCluster", id=row["id"], clustername="c3", hypervisor="KVM", managedstate="Unmanaged")

    shown = ("name", "hypervisortype", "managedstate", "allocationstate")
    assert [changed["cluster"][name] for name in shown] == ["c3", "KVM", "Unmanaged", "Enabled"]
    assert refused(w.root, "updateCluster", id=row["id"], clustername="c")[0] == 431
    assert refused(w.root, "updateCluster", id=w.cluster.uuid, hypervisor="KVM")[0] == 431
    assert refused(w.root, "addCluster", clustername="c3", **given)[0] == 431
    assert refused(w.root, "addCluster", clustername="x", **given | {"clustertype": "ExternalManaged"})[0] == 431
    for found, count in (({"hypervisor": "kvm"}, 1), ({"podid": w.pod.uuid}, 2), ({"keyword": "fake"}, 1)):
        assert api(w.root, "listClusters", **found)["count"] == count


def test_overcommit_changes_what_all_hosts_of_a_cluster_may_promise(w):
    hosts.set_overcommit(cluster=w.cluster, cpu=2.0, memory=1.5)

    assert set(Host.all_tenants.values_list("cpu_mhz_capacity", "memory_mib_capacity")) == {(64_000, 12_288)}


def test_a_zone_is_changed(api, make, w, refused):
    far = make.domain("far", make.domain())
    Zone.all_tenants.filter(pk=w.zone.pk).update(domain=far)
    alice = make.caller()
    assert api(alice, "listZones") == {}

    row = api(
        w.root,
        "updateZone",
        id=w.zone.uuid,
        name="new",
        dns1="9.9.9.9",
        ispublic=True,
        sortkey=3,
        details=[{"key": "a", "value": "1"}],
    )["zone"]

    assert (row["name"], row["dns1"], row["resourcedetails"], "domainid" in row) == (
        "new",
        "9.9.9.9",
        {"a": "1"},
        False,
    )
    assert api(alice, "listZones")["count"] == 1
    api(w.root, "updateZone", id=w.zone.uuid, details=[{"key": "a", "value": "2"}])
    assert api(w.root, "listZones")["zone"][0]["resourcedetails"] == {"a": "2"}
    assert refused(w.root, "updateZone", id=w.zone.uuid, dns2="x")[0] == 431


def test_zones_are_listed_by_who_may_use_them_and_who_does(api, make, w):
    low = make.domain("low", make.domain())
    own = centre.saved(Zone(name="own", domain=low, allocation_state="Enabled"))
    user, alice = make.caller("u", low), make.caller()
    make.vm(alice.account, zone=w.zone)

    def names(caller, **how):
        return [row["name"] for row in api(caller, "listZones", **how).get("zone", [])]

    assert names(user) == ["z1", "own"]
    assert names(alice) == ["z1"]
    assert names(alice, available=True) == ["z1"]
    assert (names(alice, available=False), names(user, available=False)) == (["z1"], [])
    assert names(w.root, domainid=low.uuid, id=own.uuid) == ["own"]
    assert names(w.root, networktype="advanced", name="OWN") == ["own"]


def test_a_pod_takes_its_name_and_what_it_is_told(api, w, refused):
    row = api(w.root, "updatePod", id=w.pod.uuid, name="new", allocationstate="Disabled")["pod"]
    assert (row["name"], row["allocationstate"], row["startip"]) == ("new", "Disabled", ["172.16.0.2"])
    for missing in ("gateway", "netmask", "startip"):
        given = {"gateway": "10.0.0.1", "netmask": "255.0.0.0", "startip": "10.0.0.2"} | {missing: ""}
        assert refused(w.root, "createPod", zoneid=w.zone.uuid, name="p2", **given)[0] == 431
    assert api(w.root, "listPods", keyword="ne", zoneid=w.zone.uuid)["count"] == 1


def test_a_pod_gets_more_management_addresses_and_loses_them(api, w, refused):
    place = {"podid": w.pod.uuid, "gateway": "172.16.0.1", "netmask": "255.255.0.0"}
    ends = {"startip": "172.16.3.2", "endip": "172.16.3.5"}

    row = api(w.root, "createManagementNetworkIpRange", vlan="7", forsystemvms=True, **place, **ends)["pod"]

    assert [row[name] for name in ("startip", "endip", "forsystemvms", "vlanid")] == [
        ["172.16.0.2", "172.16.3.2"],
        ["172.16.0.9", "172.16.3.5"],
        ["0", "1"],
        ["vlan://untagged", "vlan://7"],
    ]
    assert row["ipranges"][1]["gateway"] == "172.16.0.1"
    assert PodAddress.objects.filter(pod=w.pod).count() == 12
    for params in (
        {"startip": "172.16.0.9"},
        {"startip": "172.16.3.5"},
        {"startip": "172.16.9.2", "gateway": "172.16.0.2"},
        {"startip": "172.17.0.2"},
    ):
        assert refused(w.root, "createManagementNetworkIpRange", **place | params)[0] == 431
    PodAddress.objects.filter(ip="172.16.3.4").update(taken_by="x")
    now = {"podid": w.pod.uuid, "currentstartip": "172.16.3.2", "currentendip": "172.16.3.5"}
    assert refused(w.root, "updatePodManagementNetworkIpRange", **now, newendip="172.16.3.3")[0] == 431
    api(w.root, "updatePodManagementNetworkIpRange", **now, newstartip="172.16.3.4", newendip="172.16.3.8")
    assert PodAddress.objects.filter(pod=w.pod).count() == 13
    gone = {"podid": w.pod.uuid, "startip": "172.16.3.4", "endip": "172.16.3.8"}
    assert refused(w.root, "deleteManagementNetworkIpRange", vlan="7", **gone)[0] == 431
    assert refused(w.root, "deleteManagementNetworkIpRange", vlan="untagged", **gone)[0] == 431
    PodAddress.objects.update(taken_by="")
    assert api(w.root, "deleteManagementNetworkIpRange", vlan="7", **gone) == {"success": True}
    assert PodAddress.objects.filter(pod=w.pod).count() == 8
    assert not scenes.findings()


def test_the_first_range_of_a_pod_moves_too_and_does_not_go(api, w, refused):
    now = {"podid": w.pod.uuid, "currentstartip": "172.16.0.2", "currentendip": "172.16.0.9"}

    api(w.root, "updatePodManagementNetworkIpRange", **now, newendip="172.16.0.5")

    assert api(w.root, "listPods")["pod"][0]["endip"] == ["172.16.0.5"]
    assert PodAddress.objects.filter(pod=w.pod).count() == 4
    ends = {"podid": w.pod.uuid, "startip": "172.16.0.2", "endip": "172.16.0.5"}
    assert refused(w.root, "deleteManagementNetworkIpRange", vlan="untagged", **ends)[0] == 431


def test_infrastructure_is_roots(make, w, refused):
    boss = make.caller("boss", kind=Kind.DOMAIN_ADMIN)
    for caller in (make.caller(), boss):
        for command, row in (("deleteZone", w.zone), ("deletePod", w.pod), ("deleteHost", w.host)):
            assert refused(caller, command, id=row.uuid)[0] == 432
    assert refused(w.root, "deletePod", id=unknown())[0] == 431


def test_traffic_and_storage_ranges(api, w, refused):
    carrier = w.carrier.uuid
    kinds = {
        row["traffictype"]: row["id"]
        for row in api(w.root, "listTrafficTypes", physicalnetworkid=carrier)["traffictype"]
    }
    changed = api(w.root, "updateTrafficType", id=kinds["Guest"], kvmnetworklabel="cloudbr1")["traffictype"]
    assert changed["kvmnetworklabel"] == "cloudbr1"
    assert api(w.root, "deleteTrafficType", id=kinds["Management"]) == {"success": True}
    place = {"gateway": "10.7.0.1", "netmask": "255.255.255.0"}

    row = api(
        w.root, "createStorageNetworkIpRange", podid=w.pod.uuid, startip="10.7.0.2", endip="10.7.0.9", vlan=7, **place
    )

    row = row["storagenetworkiprange"]
    assert (row["startip"], row["endip"], row["vlan"], row["podid"]) == ("10.7.0.2", "10.7.0.9", 7, str(w.pod.uuid))
    assert refused(w.root, "createStorageNetworkIpRange", startip="10.7.0.9", **place)[0] == 431
    moved = api(w.root, "updateStorageNetworkIpRange", id=row["id"], endip="10.7.0.12")["storagenetworkiprange"]
    assert moved["endip"] == "10.7.0.12"
    assert api(w.root, "listStorageNetworkIpRange", podid=w.pod.uuid)["count"] == 1
    assert api(w.root, "deleteStorageNetworkIpRange", id=row["id"]) == {"success": True}


def test_what_is_known_of_networks_is_listed(api, w):
    names = [row["name"] for row in api(w.root, "listNetworkIsolationMethods")["isolationmethod"]]
    assert names[:2] == ["VLAN", "VXLAN"]
    found = api(w.root, "listSupportedNetworkServices", provider="InternalLbVm")["networkservice"]
    assert [(row["name"], row["provider"][0]["name"]) for row in found] == [("Lb", "InternalLbVm")]
    assert api(w.root, "listTrafficTypeImplementors", traffictype="guest")["traffictypeimplementorresponse"]


def test_a_basic_zone_has_one_physical_network_without_vlans(api, make, w, refused):
    basic = centre.saved(Zone(name="b", network_type="Basic"))
    assert refused(w.root, "createPhysicalNetwork", name="p", zoneid=basic.uuid, vlan="1-2")[0] == 431
    row = api(w.root, "createPhysicalNetwork", name="p", zoneid=basic.uuid)["physicalnetwork"]
    assert row["broadcastdomainrange"] == "POD"
    assert refused(w.root, "createPhysicalNetwork", name="q", zoneid=basic.uuid)[0] == 431
    assert refused(w.root, "updatePhysicalNetwork", id=row["id"], vlan="1-2")[0] == 431


# the last one, when many want it


@pytest.mark.django_db(transaction=True)
def test_no_host_is_left_in_a_cluster_that_is_deleted_at_the_same_moment(make, monkeypatch):
    monkeypatch.setattr(fake, "CLOUD", fake.Cloud())
    found = centre.centre(make, hosts=0)
    facts = fake.FakeHost(fake.CLOUD, "h").facts(within=1)
    place = {"zone": found.zone, "pod": found.pod, "cluster": found.cluster}
    codes = []

    def work(number):
        try:
            if number == 5:
                hosts.delete_cluster(cluster=found.cluster)
            else:
                hosts.add(url=f"http://h{number}", joined=Joined("", facts), **place)
        except CloudError as error:
            codes.append(error.code)

    in_threads(work)

    assert Cluster.all_tenants.exists() == Host.all_tenants.exists()
    assert set(codes) <= {431, 536}


@pytest.mark.django_db(transaction=True)
def test_one_of_all_makes_the_zone_with_a_name(make):
    won, dns = [], {"dns1": "1.1.1.1", "internal_dns1": "1.1.1.1"}

    def work(number):
        try:
            won.append(zones.create(name="same", **dns).pk)
        except CloudError as error:
            won.append(error.code)

    in_threads(work)

    assert (sorted(won)[-15:], Zone.all_tenants.count()) == ([431] * 15, 1)


# books


NOW = timezone.now()


def gone(row):
    type(row).all_tenants.filter(pk=row.pk).kernel_update(removed=NOW)


BROKEN = {
    "host h1: memory_mib_used is -1": lambda w: Host.all_tenants.filter(name="h1").kernel_update(memory_mib_used=-1),
    "host h1: cpu_mhz_used is 99999": lambda w: Host.all_tenants.filter(name="h1").kernel_update(cpu_mhz_used=99_999),
    "pod {pod} is in a zone that was deleted": lambda w: gone(w.zone),
    "cluster {cluster} is in a pod that was deleted": lambda w: gone(w.pod),
    "host {host} is in a cluster that was deleted": lambda w: gone(w.cluster),
    "physical network {carrier} is in a zone that was deleted": lambda w: gone(w.zone),
    "pod pod lives and its name is not kept": lambda w: Pod.all_tenants.kernel_update(alive=None),
    "2 of the kind pod have the name pod": lambda w: twin(w),
    "pod pod does not have a row for each of its 8 addresses": lambda w: PodAddress.objects.filter(
        ip="172.16.0.9"
    ).delete(),
    "8 addresses are of pods that were deleted": lambda w: gone(w.pod),
}


def twin(w):
    Pod.all_tenants.kernel_update(alive=None)
    centre.saved(Pod(zone=w.zone, name="pod", **centre.POD))


@pytest.mark.parametrize("finding", BROKEN)
def test_a_broken_book_is_found(w, finding):
    assert not scenes.findings()

    BROKEN[finding](w)

    words = {"pod": w.pod.uuid, "cluster": w.cluster.uuid, "host": w.host.uuid, "carrier": w.carrier.uuid}
    assert finding.format(**words) in {line for lines in audit.findings().values() for line in lines}


def test_a_physical_network_that_is_deleted_takes_its_parts_along(api, make, w):
    carrier = physical_networks.create(zone=w.zone, name="p2", vlan="300-302")
    assert api(caller_for(w.root.account), "deletePhysicalNetwork", id=carrier.uuid) == {"success": True}

    assert carrier.segments.count() == 0
    assert not scenes.findings()
