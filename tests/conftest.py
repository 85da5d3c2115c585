import uuid
from types import SimpleNamespace

import pytest

from apps.accounts.models import Account, ProjectMember, User
from apps.accounts.tenants import caller_for
from apps.configuration import store
from apps.configuration.store import STORE
from apps.core import dispatch
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.core.ownership import admit
from apps.domains import services as domains
from apps.domains.models import Domain
from apps.hypervisors import fake
from apps.images.models import Template, TemplateCopy
from apps.infrastructure import drivers
from apps.infrastructure.models import Host, Zone
from apps.jobs import runner, wake
from apps.jobs.models import Job
from apps.machines.models import VirtualMachine
from apps.network.models import Network
from apps.network.services import ranges
from apps.offerings.models import NetworkOffering, ServiceOffering
from apps.rbac.models import Role
from apps.rbac.services import _rules
from apps.storage.models import StoragePool, Volume
from tests import factories


@pytest.fixture(autouse=True)
def no_rules_of_another_test():
    _rules.cache_clear()


@pytest.fixture(autouse=True)
def no_settings_of_another_test(monkeypatch):
    """And none that are read again while queries are counted."""
    monkeypatch.setattr(store.STORE._kept, "seconds", 3600.0)
    STORE.forget()


@pytest.fixture(autouse=True)
def no_broker(monkeypatch, request):
    """Nobody listens: what must happen happens because the database says so."""
    if not request.node.get_closest_marker("broker"):
        monkeypatch.setattr(wake, "publish", lambda *args: None)


@pytest.fixture(autouse=True)
def fake_hosts(monkeypatch):
    monkeypatch.setitem(drivers.DRIVERS, "Fake", fake.connect)


@pytest.fixture
def cloud(monkeypatch):
    """The state of the fake hypervisors, fresh."""
    fresh = fake.Cloud()
    monkeypatch.setattr(fake, "CLOUD", fresh)
    return fresh


class Make:
    """The least valid row of each kind."""

    def domain(self, name="ROOT", parent=None):
        return Domain.all_tenants.filter(name=name).first() or domains.create(name=name, parent=parent)

    def account(self, name="alice", domain=None, kind=Kind.TENANT, type=Account.Type.USER):
        role = Role.all_tenants.filter(kind=kind).first() or self.role(kind)
        row = Account(name=name, domain=domain or self.domain(), role=role, type=type)
        row.save()
        User(login=f"{row.domain.pk}:{name}", username=name, account=row).save()
        return row

    def role(self, kind, name="", **kw):
        (role := Role(name=name or kind.name, kind=kind, is_unlimited=kind is Kind.ROOT, **kw)).save()
        return role

    def caller(self, *args, **kwargs):
        return caller_for(self.account(*args, **kwargs))

    def root(self):
        return self.caller("admin", kind=Kind.ROOT, type=Account.Type.ROOT)

    def project(self, *members, name="p", domain=None):
        project = self.account(name, domain=domain, type=Account.Type.PROJECT)
        ProjectMember.objects.bulk_create(ProjectMember(project=project, account=m) for m in members)
        return project

    def zone(self):
        if zone := Zone.all_tenants.first():
            return zone
        (zone := Zone(name="z1", allocation_state="Enabled")).save()
        return zone

    def host(self, name="h1", memory_mib=4096):
        (host := Host(name=name, zone=self.zone(), memory_mib_capacity=memory_mib, hypervisor="Fake")).save()
        return host

    def pool(self, name="s1", **kw):
        """Of the whole zone, unless told otherwise."""
        row = kw.get("host") or kw.get("cluster") or kw.get("zone") or self.zone()
        given = {"zone": self.zone(), "hypervisor": "Fake", "scope": "ZONE", "place": row.lock_key.split(".")[1], **kw}
        given["placement_bytes"] = given.get("capacity_bytes", 1 << 40)
        (pool := StoragePool(name=name, **given)).save()
        return pool

    def offering(self, domain=None, **kw):
        (row := ServiceOffering(name="small", **kw)).save()
        row.domains.set([domain] if domain else [])
        return row

    def template(self, owner, **kw):
        """Ready in the zone."""
        row = admit(Template, owner, **{"name": "debian", "hypervisor": "Fake", **kw})
        TemplateCopy(template=row, zone=self.zone(), state=TemplateCopy.State.READY).save()
        return row

    def volume(self, owner, **kw):
        return admit(Volume, owner, **{"name": "vol", "size": 1 << 30, "zone": self.zone(), **kw})

    def shared_network(self):
        """Of everybody, in the zone; there is nothing to implement in it."""
        if network := Network.all_tenants.filter(name="shared").first():
            return network
        operator = self.account("operator")
        (offering := NetworkOffering(name="plain", guest_ip_type="Shared", state="Enabled")).save()
        place = {"cidr": "10.9.0.0/24", "gateway": "10.9.0.1", "netmask": "255.255.255.0", "is_public": True}
        kinds = {"guest_type": "Shared", "acl_type": "Domain", "state": "Setup", "is_counted": False}
        network = admit(Network, operator, name="shared", zone=self.zone(), offering=offering, **place, **kinds)
        span = {"gateway": "10.9.0.1", "netmask": "255.255.255.0", "start_ip": "10.9.0.2", "end_ip": "10.9.0.200"}
        ranges.create(zone=network.zone, network=network, for_virtual_network=False, vlan="untagged", **span)
        return network

    def order(self, owner):
        """The parameters of the least order of a machine; there is storage for its disk."""
        if not StoragePool.all_tenants.exists():
            self.pool()
        rows = {"serviceofferingid": self.offering(), "templateid": self.template(owner), "zoneid": self.zone()}
        return rows | {"networkids": self.shared_network()}

    def row(self, label, owner):
        """The least valid row of any kind."""
        return factories.rows()[label](self, owner)

    def vm(self, owner, **kw):
        made = {"zone": self.zone(), "offering": self.offering(), "template": self.template(owner)}
        return admit(VirtualMachine, owner, **{**made, "name": "vm", "hypervisor": "Fake", **kw})


@pytest.fixture
def make():
    return Make()


def answer(jobid):
    """What the job said in the end; its error raised."""
    job = Job.objects.get(uuid=jobid)
    result = dispatch.call(caller_for(job.account), "queryAsyncJobResult", jobid=jobid)
    assert result["jobstatus"] in (1, 2), f"job is {job.status}"
    if result["jobstatus"] == 2:
        error = CloudError(result["jobresult"]["errortext"])
        error.code = result["jobresultcode"]
        raise error
    return result["jobresult"]


@pytest.fixture
def api(db):
    """Call as a client does: an asynchronous command is worked off and its result returned."""

    def call(caller, name, /, **params):
        got = dispatch.call(caller, name, **params)
        if "jobid" not in got or name == "queryAsyncJobResult":
            return got
        runner.drain()
        return answer(got["jobid"])

    return call


@pytest.fixture
def running(make, cloud, db):
    """Alice, her running machine on h1 and a volume that exists on primary storage."""
    alice, host = make.account(), make.host()
    vm = make.vm(alice, state=VirtualMachine.State.RUNNING, host=host)
    volume = make.volume(alice, state=Volume.State.READY)
    cloud.disks[str(volume.uuid)] = volume.size
    cloud.running[str(vm.uuid)].add(host.name)
    return SimpleNamespace(
        caller=caller_for(alice),
        vm=vm,
        volume=volume,
        host=host,
        params={"id": volume.uuid, "virtualmachineid": vm.uuid},
    )


def unknown():
    return str(uuid.uuid4())
