"""A small cloud for tests of machines, and the one question that all of them ask in the end: is everything true?"""

from copy import deepcopy
from types import SimpleNamespace

from apps.accounts.models import Account
from apps.accounts.tenants import caller_for
from apps.configuration.store import STORE
from apps.core import dispatch
from apps.core.audit import findings
from apps.core.models import Question
from apps.core.ownership import admit
from apps.hypervisors import fake
from apps.images.models import Template, TemplateCopy
from apps.infrastructure.models import Cluster, Host, PhysicalNetwork, ServiceProvider, TrafficType
from apps.infrastructure.services import pods
from apps.jobs import runner
from apps.machines.models import Attachment, Nic, Reservation, VirtualMachine
from apps.network.models import Network, Segment
from apps.network.services import networks, ranges
from apps.offerings.models import DiskOffering, NetworkOffering, ServiceOffering
from apps.storage.models import Volume
from tests.conftest import answer
from tests.crash import let_time_pass, nothing_is_left_over, work_off

S, V = VirtualMachine.State, Volume.State
GIB = 1 << 30
ROUTER = ("Dhcp", "Dns", "UserData", "Firewall", "PortForwarding", "SourceNat", "StaticNat")
EXISTS = (V.READY, V.ATTACHING, V.RESIZING, V.DESTROY)


class World:
    """Alice in a zone with two hosts, a shared network, offerings and a template; nothing of hers yet."""

    def __init__(self, make, monkeypatch, *faults):
        self.make, self.cloud, self.made, self.monkeypatch = make, fake.Cloud(), None, monkeypatch
        monkeypatch.setattr(fake, "CLOUD", self.cloud)
        self.alice, self.zone = make.caller("alice", make.domain()), make.zone()
        self.hosts = [make.host(name) for name in ("h1", "h2")]
        self.pool = make.row("storage.StoragePool", None)
        self.small, self.shared = make.offering(), make.shared_network()
        self.template = make.template(self.alice.account, size_bytes=2 * GIB)
        for call, error, how in faults:
            self.fail(call, error, **how)

    def fail(self, call, error, **how):
        self.cloud.fail(call, error, **how)

    def again(self):
        """The world as it was made, with hypervisors of its own: for scenes that are rolled back."""
        self.made = self.made or deepcopy(self.cloud)
        self.cloud = deepcopy(self.made)
        self.monkeypatch.setattr(fake, "CLOUD", self.cloud)
        return self

    def setting(self, name, text, account=None):
        STORE.store(name, text, **({"kind": "account", "row_id": account.pk} if account else {}))

    @property
    def root(self):
        found = Account.all_tenants.filter(name="admin").first()
        return caller_for(found) if found else self.make.root()

    def order(self, **more):
        rows = {"serviceofferingid": self.small, "templateid": self.template, "zoneid": self.zone}
        given = rows | {"networkids": self.shared} | more
        return {name: value for name, value in given.items() if value is not None}

    def submit(self, command, caller=None, /, **params):
        """What the call answers; nothing is worked off."""
        return dispatch.call(caller or self.alice, command, **params)

    def do(self, command, caller=None, /, **params):
        """The answer of the command, or its error, when all that it began has ended."""
        got = self.submit(command, caller, **params)
        if "jobid" not in got:
            return got
        runner.drain()
        return answer(got["jobid"])

    def deploy(self, caller=None, **more):
        return self.read(self.do("deployVirtualMachine", caller, **self.order(**more))["virtualmachine"]["id"])

    def read(self, row):
        """The machine as it is now."""
        uuid = getattr(row, "uuid", row)
        return VirtualMachine.including_removed.select_related("host", "owner").get(uuid=uuid)

    def root_disk(self, vm):
        return Attachment.objects.select_related("volume").get(vm=vm, device_id=0).volume

    def data_disk(self, vm, device=1):
        return Attachment.objects.select_related("volume").get(vm=vm, device_id=device).volume

    def disk_offering(self, gib=5, **kw):
        (row := DiskOffering(name=f"{gib} GiB", size_bytes=gib * GIB, **kw)).save()
        return row

    def iso(self, owner=None, **kw):
        return self.make.template(owner or self.alice.account, name="rescue", is_iso=True, **kw)

    def isolated(self, owner=None, name="net"):
        """A network with a router, still Allocated."""
        return networks.create_isolated(
            owner=owner or self.alice.account, zone=self.zone, offering=self.routed(), name=name
        )

    def routed(self):
        """The offering of networks with a router, and all that such a network and its router need."""
        if found := NetworkOffering.all_tenants.filter(name="routed").first():
            return found
        (carrier := PhysicalNetwork(zone=self.zone, name="p", state="Enabled", vlan="100-109")).save()
        TrafficType(physical_network=carrier, kind="Guest").save()
        enabled = {"state": "Enabled", "services": list(ROUTER)}
        ServiceProvider(physical_network=carrier, name="VirtualRouter", **enabled).save()
        Segment.objects.bulk_create(Segment(physical_network=carrier, number=n) for n in range(100, 110))
        ends = {"gateway": "172.16.0.1", "netmask": "255.255.0.0", "start_ip": "172.16.0.2", "end_ip": "172.16.0.9"}
        pod = pods.create(zone=self.zone, name="p", **ends)
        Cluster(zone=self.zone, pod=pod, name="c", hypervisor="Fake").save()
        span = {"gateway": "192.0.2.1", "netmask": "255.255.255.0", "start_ip": "192.0.2.10", "end_ip": "192.0.2.60"}
        ranges.create(zone=self.zone, vlan="50", for_virtual_network=True, physical_network=carrier, **span)
        ServiceOffering(name="router", is_system=True, system_vm_type="domainrouter", memory_mib=256).save()
        services = {service: ["VirtualRouter"] for service in ROUTER}
        (row := NetworkOffering(name="routed", services=services, state="Enabled", availability="Required")).save()
        return row


def settle():
    """Leases end, waits and deadlines are over, and all that is left to do is done."""
    for _ in range(3):
        let_time_pass()
        Question.objects.update(due_at="2020-01-01T00:00Z")
        work_off()


def check(world):
    """Nothing is under way, the audits find nothing, and the hypervisors have exactly what the rows say."""
    nothing_is_left_over()
    assert Question.objects.count() == 0
    assert {subject: lines for subject, lines in findings().items() if lines} == {}
    assert hypervisors(world.cloud) == rows()
    for host in Host.all_tenants.all():
        held = list(Reservation.objects.filter(host=host).values_list("cpu_mhz", "memory_mib"))
        used = (host.guests, host.cpu_mhz_used, host.memory_mib_used)
        assert used == (len(held), sum(mhz for mhz, _ in held), sum(mib for _, mib in held)), host.name


def hypervisors(cloud):
    running = {vm: hosts for vm, hosts in cloud.running.items() if hosts}
    return SimpleNamespace(
        running={vm: set(hosts) for vm, hosts in running.items()},
        disks=dict(cloud.disks),
        inside={disk: set(machines) for disk, machines in cloud.attached.items() if machines},
        cards={vm: {nic: spec.ip for nic, spec in cards.items()} for vm, cards in cloud.cards.items() if cards},
        isos=dict(cloud.isos),
    )


def rows():
    up = VirtualMachine.all_tenants.filter(state=S.RUNNING).select_related("host", "iso")
    users = up.filter(kind="User")
    held = Attachment.objects.filter(vm__in=users).select_related("volume", "vm")
    cards = {str(vm.uuid): {} for vm in up}
    for nic in Nic.all_tenants.filter(vm__in=users).select_related("vm"):
        cards[str(nic.vm.uuid)][str(nic.uuid)] = nic.ip or ""
    for vm in up.exclude(kind="User"):  # the cards of routers have no rows
        cards[str(vm.uuid)] = {nic: spec.ip for nic, spec in fake.CLOUD.cards[str(vm.uuid)].items()}
    there = Volume.all_tenants.filter(state__in=EXISTS)
    return SimpleNamespace(
        running={str(vm.uuid): {vm.host.name} for vm in up},
        disks={str(uuid): size for uuid, size in there.values_list("uuid", "size")},
        inside={str(held.volume.uuid): {str(held.vm.uuid)} for held in held},
        cards={vm: mine for vm, mine in cards.items() if mine},
        isos={str(vm.uuid): str(vm.iso.uuid) for vm in users if vm.iso},
    )


def network_of(world, name="net"):
    return Network.all_tenants.get(name=name)


def unready(make, owner, state, **kw):
    """A template that is not in the zone yet."""
    row = admit(Template, owner, name="raw", **kw)
    if state:
        TemplateCopy(template=row, zone=make.zone(), state=state).save()
    return row
