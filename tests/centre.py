"""A data centre of rows on fake hosts: the least that a network can be implemented in."""

from types import SimpleNamespace

from apps.infrastructure.models import Cluster, Host, PhysicalNetwork, Pod, PodAddress, ServiceProvider, TrafficType
from apps.infrastructure.services.physical_networks import PROVIDERS
from apps.machines.services import nics
from apps.network.models import Segment
from apps.network.services import networks, ranges
from apps.offerings.models import NetworkOffering, ServiceOffering

NAT = ("Dhcp", "Dns", "UserData", "Firewall", "Gateway", "PortForwarding", "SourceNat", "StaticNat")
SYSTEM = ("domainrouter", "secondarystoragevm", "consoleproxy")
POD = {"gateway": "172.16.0.1", "netmask": "255.255.0.0", "start_ip": "172.16.0.2", "end_ip": "172.16.0.9"}


def saved(row):
    row.save()
    return row


def centre(make, *, hosts=2, segments=5, public=8, basic=False):
    """Zone, pod, cluster, hosts, a physical network with ``segments`` ids and ``public`` addresses."""
    zone = make.zone()
    if basic:
        type(zone).all_tenants.filter(pk=zone.pk).update(network_type="Basic", security_groups_enabled=True)
        zone.refresh_from_db()
    pod = saved(Pod(zone=zone, name="pod", **POD))
    PodAddress.objects.bulk_create([PodAddress(pod=pod, ip=f"172.16.0.{n}") for n in range(2, 10)])
    cluster = saved(Cluster(zone=zone, pod=pod, name="c", hypervisor="Fake"))
    place = {"zone": zone, "pod": pod, "cluster": cluster, "hypervisor": "Fake"}
    rows = [saved(Host(name=f"h{n}", **place)) for n in range(1, hosts + 1)]
    carrier = saved(PhysicalNetwork(zone=zone, name="p", state="Enabled"))
    for kind in ("Guest", "Public", "Management"):
        saved(TrafficType(physical_network=carrier, kind=kind))
    for name, services in PROVIDERS.items():
        saved(ServiceProvider(physical_network=carrier, name=name, services=list(services), state="Enabled"))
    numbers = range(100, 100 + segments)
    Segment.objects.bulk_create([Segment(physical_network=carrier, number=number) for number in numbers])
    for kind in SYSTEM:
        saved(ServiceOffering(name=kind, is_system=True, system_vm_type=kind, memory_mib=256, speed_mhz=500))
    found = SimpleNamespace(zone=zone, pod=pod, cluster=cluster, hosts=rows, carrier=carrier, public=None)
    if public:
        found.public = public_range(found, count=public)
    return found


def public_range(found, *, count=8, subnet="192.168.0", **how):
    place = {"gateway": f"{subnet}.1", "netmask": "255.255.255.0"}
    place |= {"start_ip": f"{subnet}.2", "end_ip": f"{subnet}.{1 + count}"}
    carrier = {"physical_network": found.carrier, "for_virtual_network": True}
    return ranges.create(zone=found.zone, vlan="50", **carrier, **place, **how)


def offering(services=NAT, provider="VirtualRouter", **kw):
    given = {service: [provider] for service in services}
    return saved(NetworkOffering(name="net", services=given, **{"state": "Enabled", **kw}))


def isolated(found, owner, **kw):
    kw = {"offering": offering(), "name": "net"} | kw
    return networks.create_isolated(owner=owner, zone=found.zone, **kw)


def shared(found, owner, *, services=("Dhcp", "Dns", "UserData"), addresses=8, subnet="10.8.0", vlan="60", **kw):
    span = {"gateway": f"{subnet}.1", "netmask": "255.255.255.0"}
    span |= {"start_ip": f"{subnet}.10", "end_ip": f"{subnet}.{9 + addresses}"}
    chosen = offering(services, guest_ip_type="Shared", specify_vlan=bool(vlan), specify_ip_ranges=True)
    kw = {"offering": chosen, "name": "shared", "vlan": vlan, "span": span} | kw
    return networks.create_shared(owner=owner, zone=found.zone, **kw)


def machine(make, owner, network, *, state="Stopped", **kw):
    """With a card in the network."""
    vm = make.vm(owner, state=state)
    nics.allocate(vm, network, device_id=0, is_default=True, **kw)
    return vm


def put(vm, state):
    """Another state, as if flows of others had brought it there."""
    type(vm).all_tenants.filter(pk=vm.pk).kernel_update(state=state)
    vm.state = state
