"""The agent that serves: its parts, and the calls that they answer."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agent import VERSION
from agent.host.console import Console
from agent.host.devices import Devices
from agent.host.events import Events
from agent.host.facts import Facts
from agent.host.link import Link
from agent.host.live import Live
from agent.host.machines import Machines
from agent.host.secret_store import LibvirtSecrets
from agent.host.specs import MachineSpec
from agent.host.stats import Stats
from agent.host.use import HostUse
from agent.http.calls import NOTHING, Calls, by, plain
from agent.http.enrol import keep_renewed
from agent.http.errors import AgentError, Busy, Invalid, Refused
from agent.http.identity import Identity
from agent.http.keys import SETTLE, Deadline, Keys
from agent.http.log import Log
from agent.http.report import Reporter
from agent.http.server import Server
from agent.networks import HostNetworks
from agent.pace import Pace
from agent.power import Power
from agent.storage.disks import Disks
from agent.storage.images import Images
from agent.storage.pools import Pools
from agent.storage.tasks import Tasks

SWEEP_AGAIN = 300.0
TOLD_WITHIN = 5.0  # seconds for what a heartbeat needs of libvirt


class Service:
    def __init__(self, state: Path, listen: tuple[str, int], libvirt: str, pace: Pace, stop: threading.Event):
        self.log, self._listen, self._stop = Log(), listen, stop
        self.identity = Identity(state)
        host = self.identity.enrolled.get("host")
        if host is None:
            raise Refused("this host is not enrolled: run the verb enrol first")
        self.keys = Keys(state / "journal")
        self.link = Link(libvirt, self.log)
        self.live, self.facts = Live(self.link), Facts(self.link)
        self.networks = HostNetworks(state.with_name(f"{state.name}-networks"), self.log, pace)
        self.tasks = Tasks(state / "tasks", self.log)
        images = Images(self.tasks, state / "scratch", host)
        self.pools = Pools(state, images, self.tasks, LibvirtSecrets(self.link))
        disks = Disks(self.pools, images, self.live)
        mhz, flavour, address = self.facts.mhz, self.facts.flavour, listen[0]
        machines = Machines(self.link, self.live, disks, self.networks, flavour, address, mhz)
        self.stats = Stats(self.link, state / "stats.json", self.log)
        self.use = HostUse()
        self.reporter = Reporter(self.identity, self.told, self.log)
        Events(self.link, self.networks, self.reporter.event, machines.rebooted)
        self.link.on_connect.append(lambda connection: self.reporter.soon())
        self.link.on_loss.append(self.reporter.soon)
        self.calls = Calls(self.keys, self.log)
        devices = Devices(self.link, self.live, disks, self.networks, flavour)
        register(self, machines, disks, devices, images, Console(self.link, self.live, address))

    def start(self) -> None:
        self.log("starting", version=VERSION)
        self.link.start()
        self.reporter.start(self._stop)
        self._thread(lambda: keep_renewed(self.identity, self.log, self._stop))
        self._thread(lambda: self.stats.keep_sampling(self._stop))
        self._thread(lambda: self.networks.keep_healed(self._stop))
        self._thread(self._open)

    def _thread(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, daemon=True).start()

    def _open(self) -> None:
        """The door opens when libvirt has told what was known before."""
        while not self._stop.is_set():
            try:
                self.facts.facts(Deadline(10))
                self.pools.load()
                break
            except Busy as error:
                self.log("waiting", reason=str(error))
                self._stop.wait(1.0)
        server = Server(self._listen, self.identity, self.calls, self.log, {"version": VERSION})
        server.start()
        self.log("serving", address=self._listen[0], port=server.port, calls=len(self.calls.names()))
        self._sweep()

    def _sweep(self) -> None:
        """As soon as nothing of an agent before this can still be at work, and now and then."""
        done, pause = set[str](), 2 * SETTLE
        while not self._stop.wait(pause):
            for uuid, pool in self.pools.all().items():
                try:
                    if uuid not in done and not pool.sweep():
                        done.add(uuid)
                except AgentError as error:
                    self.log("pool not swept", pool=uuid, reason=str(error))
            pause = SWEEP_AGAIN

    def end(self) -> None:
        """What is under way goes on in libvirt; a child of ours ends with us, and its work begins again."""
        self.log("ending", held=self.keys.held())
        time.sleep(0.2)

    def told(self) -> dict[str, Any]:
        """The state of the host, for reports. Without machines if libvirt does not answer: they may run on."""
        said: dict[str, Any] = {"version": VERSION, "tasks": self.tasks.list(), "networks": self.networks.generations()}
        said["fetched_passwords"] = self.networks.fetched_passwords()
        try:
            deadline = Deadline(TOLD_WITHIN)
            said["facts"] = plain(self.facts.facts(deadline))
            running = self.live.all(deadline)
            routers = [{"uuid": uuid, "state": "running"} for uuid in self.networks.machines()]
            if self.facts.flavour().type != "xen":  # there /proc tells of the first domain alone
                said["use"] = self.use.told()
            said["machines"] = routers + [{"uuid": each.uuid, "state": each.state} for each in running]
            said["stats"] = self.stats.told()
        except AgentError as error:
            said["libvirt"] = str(error)
        said["busy"] = self.keys.held()
        return said


def with_disks(vm: MachineSpec, **_: Any) -> list[str]:
    return [f"vm:{vm.uuid}", *(f"disk:{disk.uuid}" for disk in vm.disks)]


def of_network(network: str = "", document: dict[str, Any] | None = None, **_: Any) -> Sequence[str]:
    named = network or (document or {}).get("network")
    if not isinstance(named, str) or not named:
        raise Invalid("document: key 'network' is missing")
    return [f"network:{named}"]


def register(
    service: Service, machines: Machines, disks: Disks, devices: Devices, images: Images, console: Console
) -> None:
    calls, networks = service.calls, service.networks
    power = Power(machines, networks)

    def revoked(serials: tuple[str, ...], deadline: Deadline) -> None:
        service.identity.revoke(serials)

    def tasks(deadline: Deadline) -> list[dict[str, Any]]:
        return service.tasks.list()

    changes: list[tuple[str, Callable[..., Any], Callable[..., Sequence[str]]]] = [
        ("host.revoked", revoked, NOTHING),
        ("pools.ensure", disks.ensure_pool, by("pool")),
        ("pools.remove", disks.remove_pool, by("pool")),
        ("pools.drop_image", disks.drop_image, by("image")),
        ("disks.create", disks.create, by("disk")),
        ("disks.delete", disks.delete, by("disk")),
        ("disks.resize", disks.resize, by("disk")),
        ("disks.attach", devices.attach, by("vm", "disk")),
        ("disks.detach", devices.detach, by("vm", "disk")),
        ("images.bring", images.bring, NOTHING),
        ("images.take", disks.take, by("disk")),
        ("images.remove", images.remove, NOTHING),
        ("power.start", power.start, with_disks),
        ("power.stop", power.stop, by("vm")),
        ("power.reboot", power.reboot, by("vm")),
        ("power.insert", machines.insert, by("vm")),
        ("nics.plug", devices.plug, by("vm", "nic")),
        ("nics.unplug", devices.unplug, by("vm", "nic")),
        ("networks.describe", networks.describe, NOTHING),
        ("networks.apply", networks.apply, of_network),
        ("networks.remove", networks.remove, of_network),
    ]
    looks: list[tuple[str, Callable[..., Any], Callable[..., Sequence[str]]]] = [
        ("host.facts", service.facts.facts, NOTHING),
        ("host.machines", power.machines, NOTHING),
        ("pools.stats", disks.pool_stats, by("pool")),
        ("pools.contents", disks.pool_contents, by("pool")),
        ("disks.exists", disks.exists, by("disk")),
        ("disks.size", disks.size, by("disk")),
        ("disks.has", devices.has_disk, by("vm", "disk")),
        ("power.runs", power.runs, by("vm")),
        ("nics.has", devices.has_nic, by("vm", "nic")),
        ("networks.generation", networks.generation, of_network),
        ("networks.status", networks.status, of_network),
        ("console.address", console.address, by("vm")),
        ("console.screenshot", console.screenshot, by("vm")),
        ("stats.machines", service.stats.machines, NOTHING),
        ("tasks.list", tasks, NOTHING),
    ]
    for name, function, keys in changes:
        calls.register(name, function, keys)
    for name, function, keys in looks:
        calls.register(name, function, keys, changes=False)
