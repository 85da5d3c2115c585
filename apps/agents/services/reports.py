"""What hosts tell. A report says what runs there; what it does not name does not run, if nobody is working on it.

Reports may be late, so nothing is believed that a look at the host does not confirm: a machine that began to run while
its report was under way is no machine that has ended.
"""

import logging
from collections.abc import Collection
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone

from apps.agents.models import Heard
from apps.agents.services import layouts
from apps.appliances.models import Router
from apps.compute.services import passwords, power
from apps.core import ports
from apps.core.errors import CloudError
from apps.core.retry import atomically
from apps.hypervisors.errors import DriverError
from apps.infrastructure.drivers import driver_for
from apps.infrastructure.models import Host
from apps.infrastructure.services import loads as host_loads
from apps.machines.models import VirtualMachine
from apps.machines.services import loads
from apps.network.models import Network

log = logging.getLogger(__name__)
K, S = VirtualMachine.Kind, VirtualMachine.State
LOOK = 5.0  # seconds


def take(host: Host, report: dict[str, Any]) -> None:
    boot = str(report.get("boot", ""))[:32]
    before = Heard.objects.filter(host=host).values_list("boot", flat=True).first()
    if not _is_newer(host, boot, report.get("sequence")):
        return
    _seen(host)
    if boot != before:
        _greet(host)
    if isinstance(report.get("machines"), list):
        _compare(host, _uuids(report["machines"]), _busy(report))
    if isinstance(report.get("stats"), list):
        _note_use(host, report["stats"])
    if isinstance(report.get("use"), dict):
        _note_own_use(host, report["use"])
    if isinstance(report.get("fetched_passwords"), dict):
        _forget_passwords(report["fetched_passwords"], report.get("networks") or {})


@atomically
def _is_newer(host: Host, boot: str, sequence: Any) -> bool:
    number = sequence if isinstance(sequence, int) and not isinstance(sequence, bool) else 0
    Heard.objects.bulk_create([Heard(host=host)], ignore_conflicts=True)
    newer = Heard.objects.filter(host=host).filter(~Q(boot=boot) | Q(sequence__lt=number))
    return bool(newer.update(boot=boot, sequence=number))


@atomically
def _seen(host: Host) -> None:
    now = timezone.now()
    rows = Host.all_tenants.filter(pk=host.pk)
    rows.update(last_pinged=now)
    if rows.exclude(status=Host.Status.UP).update(status=Host.Status.UP, disconnected=None):
        log.info("host %s is Up", host.name)


def _greet(host: Host) -> None:
    """An agent that has just started is told its physical networks: their labels may have changed since."""
    describe = getattr(driver_for(host).networks, "describe", None)
    if describe is None:
        return
    try:
        describe(layouts.of_zone(host.zone), within=LOOK)
    except (DriverError, CloudError) as error:
        log.warning("host %s was not told its physical networks: %s", host.name, error)


def _uuids(machines: list[Any]) -> set[str]:
    return {str(each.get("uuid")) for each in machines if isinstance(each, dict)}


def _busy(report: dict[str, Any]) -> set[str]:
    named = report.get("busy") if isinstance(report.get("busy"), list) else []
    return {str(name).removeprefix("vm:") for name in named or () if str(name).startswith("vm:")}


def _compare(host: Host, running: set[str], busy: set[str]) -> None:
    rows = VirtualMachine.all_tenants.filter(host=host, state=S.RUNNING).select_related("owner__domain")
    for vm in rows:
        if str(vm.uuid) not in running | busy and _has_ended(host, vm):
            _ended(vm)


def _note_use(host: Host, stats: list[Any]) -> None:
    """Of machines that run there; what a host has left over from others does not count."""
    found: dict[str, loads.Use] = {}
    for each in stats:
        with suppress(KeyError, TypeError, ValueError):
            found[str(UUID(each["uuid"]))] = loads.read(each)
    rows = VirtualMachine.all_tenants.filter(host=host, state=S.RUNNING, uuid__in=list(found))
    loads.note({key: found[str(uuid)] for key, uuid in rows.values_list("pk", "uuid")})


def _note_own_use(host: Host, use: dict[str, Any]) -> None:
    with suppress(KeyError, TypeError, ValueError, OverflowError):
        host_loads.note({host.pk: host_loads.read(use)})


def _has_ended(host: Host, vm: VirtualMachine) -> bool:
    try:
        return not driver_for(host).power.runs(str(vm.uuid), within=LOOK)
    except (DriverError, CloudError):
        return False  # the next report says it again


def _ended(vm: VirtualMachine) -> None:
    if vm.kind == K.ROUTER:  # its document brings it back
        Router.objects.filter(vm=vm).update(applied=0)
        return
    try:
        power.found_off(vm)
    except CloudError as error:  # somebody else has changed it meanwhile
        log.info("machine %s has ended and is not noted yet: %s", vm.uuid, error)


def _forget_passwords(fetched: dict[str, Any], holds: dict[str, Any]) -> None:
    """Of machines that have them, if the router knows the newest document: an older password may be meant else."""
    for network, machines in fetched.items():
        row = Network.all_tenants.filter(uuid__in=_valid([network])).first()
        if row is None or not isinstance(machines, list) or holds.get(network, -1) < row.generation:
            continue
        vms = VirtualMachine.all_tenants.filter(uuid__in=_valid(machines), nics__network=row, nics__removed=None)
        for vm in vms.exclude(password=""):
            passwords.fetched(vm)


def _valid(texts: Collection[Any]) -> list[str]:
    found = []
    for text in texts:
        try:
            found.append(str(UUID(str(text))))
        except ValueError:
            continue
    return found


def note_silent(hosts: Any) -> int:
    """Hosts that have not reported for too long. That does not prove that they are down: their machines may run on."""
    count = 0
    for host in hosts:
        rows = Host.all_tenants.filter(pk=host.pk, status=Host.Status.UP, last_pinged=F("last_pinged"))
        if rows.filter(last_pinged=host.last_pinged).update(
            status=Host.Status.DISCONNECTED, disconnected=timezone.now()
        ):
            count += 1
            text = f"Host {host.name} has not reported since {host.last_pinged:%Y-%m-%d %H:%M:%S} UTC"
            place = {"zone": host.zone_id, "pod": host.pod_id, "cluster": host.cluster_id}
            ports.events.one().alert(f"host {host.name}", text, kind="ALERT.COMPUTE.HOST", place=place)
    return count
