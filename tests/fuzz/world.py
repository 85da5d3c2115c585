"""What the calls are about: rows of every kind of two tenants and the system, and machines, disks, networks and rules
that live on simulated hosts.
"""

from django.utils import timezone

from apps.accounts.models import Account
from apps.accounts.tenants import caller_for
from apps.core import dispatch
from apps.core.callers import Kind
from apps.core.seeds import sow
from apps.infrastructure import drivers
from apps.jobs import runner
from apps.jobs.models import Job
from apps.simulator.driver import connect
from tests import factories
from tests.compute.world import World

KINDS = {
    "machines.VirtualMachine": ("listVirtualMachines", "virtualmachine"),
    "storage.Volume": ("listVolumes", "volume"),
    "network.Network": ("listNetworks", "network"),
    "network.PublicAddress": ("listPublicIpAddresses", "publicipaddress"),
    "appliances.RouterMachine": ("listRouters", "router"),
    "firewall.Rule": ("listFirewallRules", "firewallrule"),
}


def build(make, monkeypatch):
    """Callers, and uuids by label."""
    sow()
    root, top = caller_for(Account.all_tenants.get(name="admin")), make.domain()
    mine, far = make.domain("mine", top), make.domain("far", top)
    callers = [root, make.caller("admin-of-mine", mine, kind=Kind.DOMAIN_ADMIN, type=2), make.caller("user", mine)]
    owners = [caller.account for caller in callers] + [make.account("stranger", far)]
    rows = {}
    for label, function in factories.rows().items():
        rows[label] = [str(getattr(function(make, owner), "uuid", "1")) for owner in owners]
    Job.objects.update(status=Job.Status.FAILED, completed=timezone.now())  # nobody has asked for these
    life = World(make, monkeypatch)
    monkeypatch.setitem(drivers.DRIVERS, "Fake", connect)
    for caller in callers:
        live(life, caller)
    for label, (command, name) in KINDS.items():
        found = dispatch.call(root, command, listall=True).get(name, [])
        rows[label] = [*rows[label], *(row["id"] for row in found if row["id"] not in rows[label])]
    return callers, rows


def live(life, caller):
    """Two machines with their disks, one running; a network with a router, an address and rules."""
    template = life.make.template(caller.account, size_bytes=1 << 30)
    up = str(life.deploy(caller, templateid=template).uuid)
    life.deploy(caller, templateid=template, startvm=False)
    disk = do(life, caller, "createVolume", name="d", zoneid=life.zone, diskofferingid=life.disk_offering(1))
    do(life, caller, "attachVolume", id=disk["volume"]["id"], virtualmachineid=up)
    network = life.isolated(caller.account, f"of {caller.account.name}")
    inside = str(life.deploy(caller, templateid=template, networkids=network).uuid)
    address = do(life, caller, "associateIpAddress", networkid=network)["ipaddress"]["id"]
    rule = {"protocol": "tcp", "startport": 80, "endport": 80}
    do(life, caller, "createFirewallRule", ipaddressid=address, cidrlist="0.0.0.0/0", **rule)
    ports = {"protocol": "tcp", "privateport": 80, "publicport": 80}
    do(life, caller, "createPortForwardingRule", ipaddressid=address, virtualmachineid=inside, **ports)
    runner.drain()


def do(life, caller, command, **params):
    """As World.do, and a failure says which."""
    try:
        return life.do(command, caller, **params)
    except Exception as error:
        raise AssertionError(f"{command}: {error}") from error
