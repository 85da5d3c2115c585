"""The manager renders, the router reads: the one place where both are in one process."""

import base64
import json

import pytest
from django.db.models import F

from agent.router import rules
from agent.router.document import Ports, loose_ends, read
from apps.appliances.models import Router
from apps.compute.services import details
from apps.core import secret
from apps.firewall.services import nat
from apps.firewall.services import rules as firewall
from apps.machines.services import nics
from apps.network import document
from apps.network.models import Network
from apps.network.services import public, ranges
from tests.factories import network as factory

pytestmark = pytest.mark.django_db


@pytest.fixture
def network(make):
    owner = make.account()
    row = factory.network(make, owner)
    Network.all_tenants.filter(pk=row.pk).update(
        gateway="10.1.1.1", netmask="255.255.255.0", vlan="101", network_domain="cs1.cloud.internal", dns1="8.8.8.8"
    )
    span = {"gateway": "203.0.113.1", "netmask": "255.255.255.0", "start_ip": "203.0.113.2", "end_ip": "203.0.113.9"}
    ranges.create(zone=row.zone, vlan="vlan://50", for_virtual_network=True, **span)
    return Network.all_tenants.select_related("zone", "owner__domain", "offering").get(pk=row.pk)


def rendered(network):
    """As it arrives: through JSON."""
    return read(json.loads(json.dumps(document.render(network.pk))))


def test_a_network_with_one_of_each_is_read(make, network):
    owner = network.owner
    vm = make.vm(owner, name="web-1")
    nic = nics.allocate(vm, network, device_id=0, is_default=True)
    source = public.acquire(owner=owner, zone=network.zone, network=network, is_source_nat=True)
    mapped = public.acquire(owner=owner, zone=network.zone, network=network)
    nat.forward_port(address=source, vm=vm, protocol="tcp", public_port=8022, private_port=22, cidrs=["192.0.2.0/24"])
    firewall.open_firewall(address=source, protocol="icmp")
    firewall.open_egress(network=network, protocol="udp", start_port=53, destinations=["8.8.8.0/24"])
    nat.enable_static_nat(address=mapped, vm=vm)
    Network.all_tenants.filter(pk=network.pk).update(generation=F("generation") + 1)
    network.refresh_from_db()

    found = rendered(network)

    assert (found.network, found.generation, found.kind) == (str(network.uuid), network.generation, "Isolated")
    assert (str(found.cidr), str(found.gateway), found.segment) == ("10.1.1.0/24", "10.1.1.1", "101")
    assert (found.domain, [str(ip) for ip in found.dns]) == ("cs1.cloud.internal", ["8.8.8.8"])
    assert found.has("Dhcp", "Firewall")
    assert [(str(row.ip), row.source_nat, row.vlan, str(row.net)) for row in found.public] == [
        (source.ip, True, "vlan://50", "203.0.113.0/24"),
        (mapped.ip, False, "vlan://50", "203.0.113.0/24"),
    ]
    assert [(row.mac, str(row.ip), row.name, row.default) for row in found.dhcp] == [(nic.mac, nic.ip, "web-1", True)]
    assert [(row.traffic.protocol, row.traffic.ports, list(map(str, row.sources))) for row in found.firewall] == [
        ("tcp", Ports(8022, 8022), ["192.0.2.0/24"]),
        ("icmp", None, ["0.0.0.0/0"]),
    ]
    assert [(row.traffic.ports, list(map(str, row.destinations))) for row in found.egress] == [
        (Ports(53, 53), ["8.8.8.0/24"])
    ]
    assert [(row.ports, str(row.to), row.to_ports) for row in found.port_forwarding] == [
        (Ports(8022, 8022), nic.ip, Ports(22, 22))
    ]
    assert [(str(row.ip), str(row.to)) for row in found.static_nat] == [(mapped.ip, nic.ip)]
    assert loose_ends(found) == ()
    assert "goto to-" in rules.render(found)


def test_machines_are_told_who_they_are_and_the_router_who_it_is(make, network):
    owner = network.owner
    sealed, data = secret.seal("pass word"), base64.b64encode(b"#!/bin/sh\n").decode()
    vm = make.vm(owner, name="web-1", instance_name="i-2-3-VM", user_data=data, password=sealed)
    nic = nics.allocate(vm, network, device_id=0, is_default=True)
    details.put(vm, details.PUBLIC_KEY, "ssh-rsa AAAA one\nssh-ed25519 BBBB two\n")
    router = make.vm(owner, name="r-1-VM", kind="DomainRouter")
    cards = {"guest_mac": "02:00:00:00:00:11", "public_mac": "02:00:00:00:00:12", "guest_ip": "10.1.1.1"}
    Router.objects.create(vm=router, network=network, network_uuid=str(network.uuid), **cards)

    found = rendered(network)

    (machine,) = found.machines
    assert (machine.uuid, machine.mac, str(machine.ip), machine.name) == (str(vm.uuid), nic.mac, nic.ip, "web-1")
    assert (machine.instance_name, machine.zone, machine.offering) == ("i-2-3-VM", vm.zone.name, vm.offering.name)
    assert (machine.user_data, machine.password) == (b"#!/bin/sh\n", "pass word")
    assert machine.keys == ("ssh-rsa AAAA one", "ssh-ed25519 BBBB two")
    assert (found.own.uuid, str(found.own.guest_ip)) == (str(router.uuid), "10.1.1.1")
    assert (found.own.guest_mac, found.own.public_mac) == ("02:00:00:00:00:11", "02:00:00:00:00:12")


def test_a_network_with_nothing_in_it_is_read(network):
    found = rendered(network)

    assert (found.public, found.dhcp, found.firewall, found.machines) == ((), (), (), ())
