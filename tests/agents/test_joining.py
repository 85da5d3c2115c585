"""What addHost refuses for KVM before it touches a host; the rest is seen in tests/lab."""

import uuid

import pytest

from apps.agents.models import Certificate, Enrolment
from apps.agents.services import enrolment, layouts
from apps.appliances.services import system
from apps.core.errors import CloudError
from apps.infrastructure import drivers
from apps.infrastructure.models import Cluster, Host, PhysicalNetwork, Pod, TrafficType, Zone


@pytest.fixture
def place(make, db):
    zone = make.zone()
    (
        pod := Pod(
            zone=zone, name="p", gateway="10.0.0.1", netmask="255.255.255.0", start_ip="10.0.0.2", end_ip="10.0.0.9"
        )
    ).save()
    (cluster := Cluster(zone=zone, pod=pod, name="kvm", hypervisor="KVM")).save()
    return {"zoneid": zone.uuid, "podid": pod.uuid, "clusterid": cluster.uuid, "hypervisor": "KVM"}


@pytest.fixture
def traffic(place):
    (net := PhysicalNetwork(zone=Zone.all_tenants.get(), name="n", isolation_methods="VXLAN")).save()

    def add(kind, label=""):
        TrafficType(physical_network=net, kind=kind, labels={"kvm": label} if label else {}).save()
        return layouts.of_zone(Zone.all_tenants.get())

    return add


def signed(host):
    return Certificate.objects.create(serial="A", role="host", bearer=host, expires="2099-01-01T00:00Z")


def test_labels_of_traffic_types_are_the_cards_of_hosts(traffic):
    assert traffic("Guest") == {
        "physical": {"guest": {"device": "cloudbr0", "isolation": "vxlan"}},
        "guest": "guest",
        "public": "guest",
    }
    assert traffic("Public", "eth7") == {
        "physical": {
            "guest": {"device": "cloudbr0", "isolation": "vxlan"},
            "public": {"device": "eth7", "isolation": "vxlan"},
        },
        "guest": "guest",
        "public": "public",
    }


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "username, password: those of root"),
        ({"username": "token", "password": "a.b"}, "no host has enrolled with this token"),
        ({"username": "root", "password": "x", "url": "http://h:99999"}, "impossible port"),
        ({"username": "root", "password": "x", "url": "http://no-such-host.invalid"}, "is not known here"),
        ({"username": "root", "password": "x", "url": "http://127.0.0.1"}, "does not listen for agents"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(api, make, place, traffic, given, text, monkeypatch):
    monkeypatch.delenv("AGENTS_URL", raising=False)
    traffic("Guest")

    with pytest.raises(CloudError, match=text):
        api(make.root(), "addHost", **{"url": "http://127.0.0.1", **place, **given})

    assert (Host.all_tenants.count(), Enrolment.objects.count()) == (0, 0)
    assert not Certificate.objects.filter(role="host").exists()


def test_a_zone_without_guest_traffic_takes_no_host(api, make, place):
    with pytest.raises(CloudError, match="no physical network of zone z1 has guest traffic"):
        api(make.root(), "addHost", url="http://127.0.0.1", username="root", password="x", **place)

    assert Host.all_tenants.count() == 0


def test_a_host_is_added_once(api, make, place, traffic):
    traffic("Guest")
    row = make.host("there")
    Host.all_tenants.filter(pk=row.pk).update(hypervisor="KVM", url="http://127.0.0.1:8250")

    with pytest.raises(CloudError, match="url: the host at 127.0.0.1 was added already"):
        api(make.root(), "addHost", url="http://127.0.0.1", username="root", password="x", **place)

    assert Host.all_tenants.count() == 1


def test_the_cluster_is_checked_before_the_host_is_touched(api, make, place, traffic):
    traffic("Guest")
    Cluster.all_tenants.update(hypervisor="Simulator")

    with pytest.raises(CloudError, match="the hosts of cluster kvm are Simulator"):
        api(make.root(), "addHost", url="http://127.0.0.1", username="root", password="x", **place)


def test_a_token_is_good_for_one_host(db, make):
    host, token = enrolment.invite()
    certificate = Certificate.objects.create(
        serial="A", role="host", bearer=host, certificate="", expires="2099-01-01T00:00Z"
    )
    assert enrolment.of_token(token) is None
    Enrolment.objects.update(certificate=certificate)
    assert str(enrolment.of_token(token).host) == host

    Host(uuid=uuid.UUID(host), name="h", zone=make.zone()).save()

    assert enrolment.of_token(token) is None


def test_a_deleted_host_is_believed_no_more(api, make, kvm):
    Certificate.objects.create(
        serial="A", role="host", bearer=str(kvm.uuid), certificate="", expires="2099-01-01T00:00Z"
    )

    api(make.root(), "deleteHost", id=kvm.uuid, forced="true")

    assert Certificate.objects.get(serial="A").revoked is not None


def test_a_zone_of_such_hosts_alone_has_no_system_machines(place):
    assert "KVM" in drivers.WITHOUT_SYSTEM_MACHINES
    assert list(system.zones_with_machines()) == []

    Cluster.all_tenants.update(hypervisor="Simulator")

    assert [zone.name for zone in system.zones_with_machines()] == ["z1"]
