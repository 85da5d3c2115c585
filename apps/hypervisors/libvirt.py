"""The driver of hosts that run our agent: KVM, and Xen where libvirt does the same. What the calls mean is in ``base``;
what they do is in the agent. Here is only how they are said.
"""

import base64
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from apps.hypervisors import tunnel
from apps.hypervisors.agent_client import Agents, Credentials
from apps.hypervisors.base import (
    ConsoleAddress,
    DiskSpec,
    DiskStats,
    HostAddress,
    HostFacts,
    ImageRules,
    ImageSpec,
    MachineSpec,
    MachineStats,
    NicSpec,
    NicStats,
    OpenScreen,
    PoolSpec,
    PoolStats,
    StoredImage,
)


class Part:
    def __init__(self, agents: Agents, address: HostAddress):
        self._agents, self._address = agents, address

    def _ask(self, call: str, within: float, /, **arguments: Any) -> Any:
        given = {name: value for name, value in arguments.items() if value is not None}
        return self._agents.call(self._address, call, given, within)


def _said(value: Any) -> Any:
    """A specification as JSON, without what it does not say."""
    if isinstance(value, dict):
        return {name: _said(each) for name, each in value.items() if each is not None}
    return [_said(each) for each in value] if isinstance(value, list | tuple) else value


def _spec(value: Any) -> Any:
    return None if value is None else _said(asdict(value))


class Host(Part):
    def facts(self, *, within: float) -> HostFacts:
        said = self._ask("host.facts", within)
        names = ("cpu_cores", "cpu_speed_mhz", "memory_bytes", "version", "cpu_sockets")
        return HostFacts(**{name: said[name] for name in names})

    def machines(self, *, within: float) -> frozenset[str]:
        return frozenset(self._ask("host.machines", within))


class Pools(Part):
    def ensure(self, pool: PoolSpec, *, within: float) -> None:
        self._ask("pools.ensure", within, pool=_spec(pool))

    def remove(self, pool: str, *, within: float) -> None:
        self._ask("pools.remove", within, pool=pool)

    def stats(self, pool: str, *, within: float) -> PoolStats:
        return PoolStats(**self._ask("pools.stats", within, pool=pool))


class Disks(Part):
    def create(self, disk: DiskSpec, *, within: float) -> None:
        self._ask("disks.create", within, disk=_spec(disk))

    def delete(self, disk: str, *, within: float, pool: PoolSpec | None = None) -> None:
        self._ask("disks.delete", within, disk=disk, place=_spec(pool))

    def resize(self, disk: DiskSpec, *, within: float) -> None:
        self._ask("disks.resize", within, disk=_spec(disk))

    def exists(self, disk: str, *, within: float, pool: PoolSpec | None = None) -> bool:
        return bool(self._ask("disks.exists", within, disk=disk, place=_spec(pool)))

    def size(self, disk: str, *, within: float, pool: PoolSpec | None = None) -> int | None:
        found: int | None = self._ask("disks.size", within, disk=disk, place=_spec(pool))
        return found

    def attach(self, vm: str, disk: DiskSpec, *, within: float) -> None:
        self._ask("disks.attach", within, vm=vm, disk=_spec(disk))

    def detach(self, vm: str, disk: str, *, within: float) -> None:
        self._ask("disks.detach", within, vm=vm, disk=disk)

    def has(self, vm: str, disk: str, *, within: float) -> bool:
        return bool(self._ask("disks.has", within, vm=vm, disk=disk))


class Power(Part):
    def start(self, vm: MachineSpec, *, within: float) -> None:
        """A router is a namespace, which comes with its document: its cards are said there."""
        self._ask("power.start", within, vm=_spec(replace(vm, nics=()) if vm.kind == "router" else vm))

    def stop(self, vm: str, *, within: float, force: bool = False) -> None:
        self._ask("power.stop", within, vm=vm, force=force)

    def reboot(self, vm: str, *, within: float, force: bool = False) -> None:
        self._ask("power.reboot", within, vm=vm, force=force)

    def runs(self, vm: str, *, within: float) -> bool:
        return bool(self._ask("power.runs", within, vm=vm))

    def insert(self, vm: str, iso: ImageSpec | None, *, within: float) -> None:
        self._ask("power.insert", within, vm=vm, iso=_spec(iso))


class Nics(Part):
    def plug(self, vm: str, nic: NicSpec, *, within: float) -> None:
        self._ask("nics.plug", within, vm=vm, nic=_spec(nic))

    def unplug(self, vm: str, nic: str, *, within: float) -> None:
        self._ask("nics.unplug", within, vm=vm, nic=nic)

    def has(self, vm: str, nic: str, *, within: float) -> bool:
        return bool(self._ask("nics.has", within, vm=vm, nic=nic))


class Networks(Part):
    def describe(self, layout: dict[str, Any], *, within: float) -> None:
        """Which physical networks the host has, and on which cards: ``agent/net/layout.py``."""
        self._ask("networks.describe", within, layout=layout)

    def status(self, network: str, *, within: float) -> dict[str, Any]:
        return dict(self._ask("networks.status", within, network=network))

    def apply(self, document: dict[str, Any], *, within: float) -> int:
        return int(self._ask("networks.apply", within, document=document))

    def remove(self, network: str, *, within: float) -> None:
        self._ask("networks.remove", within, network=network)

    def generation(self, network: str, *, within: float) -> int | None:
        found: int | None = self._ask("networks.generation", within, network=network)
        return found


class Console(Part):
    def address(self, vm: str, *, within: float) -> ConsoleAddress:
        return ConsoleAddress(**self._ask("console.address", within, vm=vm))

    def open(self, vm: str, *, within: float) -> OpenScreen:
        said, secure = self._agents.stream(self._address, "console.tunnel", {"vm": vm}, within)
        return OpenScreen(tunnel.through(secure), said["password"])

    def screenshot(self, vm: str, *, within: float) -> bytes:
        return base64.b64decode(self._ask("console.screenshot", within, vm=vm))


class Stats(Part):
    def machines(self, *, within: float) -> tuple[MachineStats, ...]:
        return tuple(_stats(each) for each in self._ask("stats.machines", within))


def _stats(said: dict[str, Any]) -> MachineStats:
    nics = tuple(NicStats(**each) for each in said["nics"])
    disks = tuple(DiskStats(**each) for each in said["disks"])
    return MachineStats(**{**said, "nics": nics, "disks": disks})


class Images(Part):
    def bring(self, image: ImageSpec, store: str, name: str, rules: ImageRules, *, within: float) -> StoredImage:
        said = self._ask("images.bring", within, image=_spec(image), store=store, name=name, rules=_spec(rules))
        return StoredImage(**said)

    def take(self, disk: str, store: str, name: str, *, within: float, pool: PoolSpec | None = None) -> StoredImage:
        return StoredImage(**self._ask("images.take", within, disk=disk, store=store, name=name, place=_spec(pool)))

    def remove(self, store: str, name: str, *, within: float) -> None:
        self._ask("images.remove", within, store=store, name=name)


class Tasks(Part):
    def running(self, *, within: float) -> list[dict[str, Any]]:
        """Copies under way and how far they are: ``subject``, ``phase``, ``done`` and ``total`` in bytes."""
        return list(self._ask("tasks.list", within))


class LibvirtHost:
    def __init__(self, agents: Agents, address: HostAddress):
        self.host, self.pools, self.disks = Host(agents, address), Pools(agents, address), Disks(agents, address)
        self.power, self.nics, self.networks = Power(agents, address), Nics(agents, address), Networks(agents, address)
        self.console, self.stats = Console(agents, address), Stats(agents, address)
        self.images, self.tasks = Images(agents, address), Tasks(agents, address)


def connector(credentials: Credentials, request_id: Callable[[], str] = str) -> Callable[[HostAddress], LibvirtHost]:
    """What ``drivers.register`` takes: one pool of connections for all hosts."""
    agents = Agents(credentials, request_id)
    return lambda address: LibvirtHost(agents, address)
