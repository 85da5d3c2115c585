"""What simulated machines and hosts seem to use, for the charts of a demo: each has a rhythm of its own."""

import math

from django.utils import timezone

from apps.core.keys import Keys
from apps.core.schedules import scheduled
from apps.infrastructure.models import Host, HostLoad
from apps.infrastructure.services import loads as host_loads
from apps.machines.models import Load, VirtualMachine
from apps.machines.services import loads

MOST = 500  # machines, and hosts; clouds with more are there to measure something else
EPOCH, MIB = "simulated", 1 << 20


@scheduled("simulator.loads", every=60)
def use() -> None:
    running = VirtualMachine.all_tenants.filter(
        state=VirtualMachine.State.RUNNING, host__cluster__hypervisor="Simulator"
    )
    found = running.order_by("pk").values_list("pk", "cpus", "memory_mib")[: MOST + 1]
    if not found or len(found) > MOST:
        return
    now = timezone.now()
    before = {load.vm_id: load for load in Load.objects.filter(vm__among=Keys(key for key, *_ in found))}
    loads.note({key: _use(key, cpus, memory, before.get(key), now.timestamp()) for key, cpus, memory in found}, now)


def _use(key: int, cpus: int, memory_mib: int, before: Load | None, now: float) -> loads.Use:
    wave = 0.5 + 0.5 * math.sin(now / (600 + key % 7 * 120) + key)
    burst = 1.0 if math.sin(now / 240 + key * 3) > 0.9 else 0.0
    seconds = now - before.at.timestamp() if before else 60.0
    moved = int(seconds * (20_000 + 400_000 * wave + 3_000_000 * burst))
    old = before or Load(cpu_seconds=0.0, **dict.fromkeys(loads.TOTALS, 0))
    return loads.Use(
        epoch=EPOCH,
        cpu_seconds=old.cpu_seconds + seconds * max(cpus, 1) * (0.02 + 0.3 * wave + 0.4 * burst),
        memory_kib=int(memory_mib * 1024 * (0.4 + 0.2 * wave)),
        received_bytes=old.received_bytes + moved,
        sent_bytes=old.sent_bytes + moved // 3,
        read_bytes=old.read_bytes + moved // 8,
        written_bytes=old.written_bytes + moved // 4,
        read_requests=old.read_requests + moved // (8 * 16384),
        write_requests=old.write_requests + moved // (4 * 16384),
    )


@scheduled("simulator.host.loads", every=60)
def use_hosts() -> None:
    hosts = list(Host.all_tenants.filter(hypervisor="Simulator", status=Host.Status.UP).order_by("pk")[: MOST + 1])
    if not hosts or len(hosts) > MOST:
        return
    now = timezone.now()
    Host.all_tenants.filter(pk__among=Keys(host.pk for host in hosts)).update(last_pinged=now)
    before = {load.host_id: load for load in HostLoad.objects.filter(host__among=Keys(host.pk for host in hosts))}
    host_loads.note({host.pk: _use_of(host, before.get(host.pk), now.timestamp()) for host in hosts}, now)


def _use_of(host: Host, before: HostLoad | None, now: float) -> host_loads.HostUse:
    """A little for itself, and of what it has promised a part that comes and goes."""
    wave = 0.5 + 0.5 * math.sin(now / (900 + host.pk % 5 * 180) + host.pk)
    seconds = now - before.at.timestamp() if before else 60.0
    busy = 0.02 + host.cpu_mhz_used / max(host.cpu_mhz_capacity, 1) * (0.1 + 0.5 * wave)
    held = host.memory_mib_used / max(host.memory_mib_capacity, 1) * (0.5 + 0.2 * wave)
    moved = int(seconds * (20_000 + host.guests * (100_000 + 800_000 * wave)))
    old = before or HostLoad(cpu_seconds=0.0, **dict.fromkeys(host_loads.TOTALS, 0))
    return host_loads.HostUse(
        epoch=EPOCH,
        cpu_seconds=old.cpu_seconds + seconds * host.cpu_cores * busy,
        memory_bytes=int(host.memory_bytes * (0.06 + held)),
        received_bytes=old.received_bytes + moved,
        sent_bytes=old.sent_bytes + moved // 3,
        load_average=round(host.cpu_cores * busy, 2),
    )
