from itertools import count

from apps.infrastructure.models import (
    Cluster,
    Host,
    HostTag,
    PhysicalNetwork,
    Region,
    ServiceProvider,
    StorageNetworkRange,
    TrafficType,
    Zone,
)
from apps.infrastructure.services import pods

NUMBER = count(1)


def saved(row):
    row.save()
    return row


def zone(make, owner):
    return saved(Zone(name=f"zone{next(NUMBER)}", allocation_state="Enabled"))


def pod(make, owner):
    n = next(NUMBER)
    net = f"172.{16 + n // 250}.{n % 250}"
    place = {"gateway": f"{net}.1", "netmask": "255.255.255.0", "start_ip": f"{net}.2", "end_ip": f"{net}.9"}
    return pods.create(zone=make.zone(), name=f"pod{n}", **place)


def cluster(make, owner):
    made = pod(make, owner)
    return saved(Cluster(zone=made.zone, pod=made, name=f"c{next(NUMBER)}", hypervisor="Fake"))


def host(make, owner):
    made = cluster(make, owner)
    return saved(Host(zone=made.zone, pod=made.pod, cluster=made, name=f"h{next(NUMBER)}", hypervisor="Fake"))


def physical_network(make, owner):
    return saved(PhysicalNetwork(zone=make.zone(), name=f"p{next(NUMBER)}"))


def storage_range(make, owner):
    made = pod(make, owner)
    place = {"gateway": "10.9.0.1", "netmask": "255.255.0.0", "start_ip": "10.9.0.2", "end_ip": "10.9.0.9"}
    return saved(StorageNetworkRange(zone=made.zone, pod=made, **place))


ROWS = {
    "infrastructure.Zone": zone,
    "infrastructure.Pod": pod,
    "infrastructure.Cluster": cluster,
    "infrastructure.Host": host,
    "infrastructure.PhysicalNetwork": physical_network,
    "infrastructure.Region": lambda make, owner: saved(Region(id=next(NUMBER) + 100, name=f"r{next(NUMBER)}")),
    "infrastructure.TrafficType": lambda make, owner: saved(
        TrafficType(physical_network=physical_network(make, owner), kind="Guest")
    ),
    "infrastructure.ServiceProvider": lambda make, owner: saved(
        ServiceProvider(physical_network=physical_network(make, owner), name="VirtualRouter")
    ),
    "infrastructure.StorageNetworkRange": storage_range,
    "infrastructure.HostTag": lambda make, owner: saved(HostTag(host=host(make, owner), tag=f"t{next(NUMBER)}")),
}
