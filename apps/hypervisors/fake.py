"""A hypervisor in memory. It keeps state, notices what must never be (one disk in two machines, one machine on two
hosts), and can be told to fail at any call: before it acts, after it acted, or by acting late.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from apps.hypervisors.base import DiskSpec, HostAddress, MachineSpec
from apps.hypervisors.errors import Busy, Refused


@dataclass
class Fault:
    call: str  # "disks.attach"
    error: BaseException | None
    when: str = "before"  # before | after it acted | late: fails now, acts at land()
    times: int = 1
    host: str = ""  # any


@dataclass
class Cloud:
    """What all hosts share and a test looks at."""

    disks: dict[str, int] = field(default_factory=dict)
    attached: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # disk -> machines
    running: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # machine -> hosts
    calls: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    late: list[Callable[[], object]] = field(default_factory=list)

    def fail(self, call: str, error: BaseException, **how: Any) -> None:
        self.faults.append(Fault(call, error, **how))

    def act(self, host: str, call: str, effect: Callable[[], object]) -> None:
        self.look()
        self.calls.append(f"{call} on {host}")
        fault = next((f for f in self.faults if f.call == call and f.host in ("", host) and f.times), None)
        if fault:
            fault.times -= 1
        if fault is None or fault.when == "after":
            effect()
        elif fault.when == "late":
            self.late.append(effect)
        if fault and fault.error:
            raise fault.error

    def land(self) -> None:
        """The calls that timed out arrive after all."""
        while self.late:
            self.late.pop(0)()

    def look(self) -> None:
        if self.late:
            raise Busy("a call is still under way")


@dataclass
class FakeDisks:
    cloud: Cloud
    host: str

    def create(self, disk: DiskSpec, *, within: float) -> None:
        self.cloud.act(self.host, "disks.create", partial(self.cloud.disks.__setitem__, disk.uuid, disk.size))

    def delete(self, disk: str, *, within: float) -> None:
        self.cloud.look()
        if self.cloud.attached[disk]:
            raise Refused(f"disk {disk} is attached")
        self.cloud.act(self.host, "disks.delete", partial(self.cloud.disks.pop, disk, None))

    def exists(self, disk: str, *, within: float) -> bool:
        self.cloud.look()
        return disk in self.cloud.disks

    def attach(self, vm: str, disk: DiskSpec, *, within: float) -> None:
        if disk.uuid not in self.cloud.disks:
            raise Refused(f"no disk {disk.uuid}")
        self.cloud.act(self.host, "disks.attach", partial(self.cloud.attached[disk.uuid].add, vm))

    def detach(self, vm: str, disk: str, *, within: float) -> None:
        self.cloud.act(self.host, "disks.detach", partial(self.cloud.attached[disk].discard, vm))

    def has(self, vm: str, disk: str, *, within: float) -> bool:
        self.cloud.look()
        return vm in self.cloud.attached[disk]


@dataclass
class FakePower:
    cloud: Cloud
    host: str

    def start(self, vm: MachineSpec, *, within: float) -> None:
        self.cloud.act(self.host, "power.start", partial(self.cloud.running[vm.uuid].add, self.host))

    def stop(self, vm: str, *, within: float, force: bool = False) -> None:
        self.cloud.act(self.host, "power.stop", partial(self.cloud.running[vm].discard, self.host))

    def runs(self, vm: str, *, within: float) -> bool:
        self.cloud.look()
        return self.host in self.cloud.running[vm]


class FakeDriver:
    def __init__(self, cloud: Cloud, host: str):
        self.disks, self.power = FakeDisks(cloud, host), FakePower(cloud, host)


CLOUD = Cloud()


def connect(address: HostAddress) -> FakeDriver:
    return FakeDriver(CLOUD, address.name)
