from itertools import count
from types import SimpleNamespace

import pytest

from apps.configuration.store import STORE
from apps.core.audit import CHECKS
from apps.infrastructure.models import Cluster, Host, Pod, Zone
from tests.factories.storage import pool

NUMBER = count(1)
GIB, TIB = 1 << 30, 1 << 40


@pytest.fixture(autouse=True)
def settings_of_this_test():
    STORE.forget()
    yield
    STORE.forget()


def saved(row):
    row.save()
    return row


class Place:
    """A zone with a pod; clusters with a host, and pools."""

    def __init__(self, make, hypervisor="Fake", **zone):
        self.make, self.hypervisor = make, hypervisor
        self.zone = saved(Zone(name=f"z{next(NUMBER)}", allocation_state="Enabled", **zone))
        span = {"gateway": "172.16.0.1", "netmask": "255.255.0.0", "start_ip": "172.16.0.2", "end_ip": "172.16.0.9"}
        self.pod = saved(Pod(zone=self.zone, name="p", **span))

    def cluster(self, hosts=1, **kw):
        number = next(NUMBER)
        values = {"hypervisor": self.hypervisor} | kw
        row = saved(Cluster(zone=self.zone, pod=self.pod, name=f"c{number}", **values))
        for _ in range(hosts):
            self.host(row)
        return row

    def host(self, cluster, **kw):
        values = {"hypervisor": cluster.hypervisor, "name": f"h{next(NUMBER)}"} | kw
        return saved(Host(zone=self.zone, pod=self.pod, cluster=cluster, **values))

    def pool(self, **kw):
        return pool(self.make, zone=self.zone, **{"hypervisor": self.hypervisor} | kw)


@pytest.fixture
def place(make, db):
    make.domain()
    return Place(make)


@pytest.fixture
def disk(place, make, cloud):
    """Alice, and what her volumes can lie on: one cluster with a host and a pool of a tebibyte."""
    cluster = place.cluster()
    return SimpleNamespace(
        place=place,
        cluster=cluster,
        host=Host.all_tenants.get(cluster=cluster),
        pool=place.pool(cluster=cluster),
        alice=make.caller("alice"),
        zone=place.zone,
    )


def audits():
    """What the audits of storage and limits find."""
    return {
        name: found for name in CHECKS if name.startswith(("storage:", "limits:")) and (found := list(CHECKS[name]()))
    }
