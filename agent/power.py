"""The power of what the manager calls machines: those of libvirt, and routers, which are namespaces here.

A router comes with its document: to start it is only to say whether this host can have one.
"""

from agent.host.machines import Machines
from agent.host.specs import MachineSpec
from agent.http.keys import Deadline
from agent.networks import HostNetworks


class Power:
    def __init__(self, machines: Machines, networks: HostNetworks):
        self._machines, self._networks = machines, networks

    def start(self, vm: MachineSpec, deadline: Deadline) -> None:
        if vm.kind == "router":
            self._networks.routers  # noqa: B018 - refused where there can be none
        else:
            self._machines.start(vm, deadline)

    def stop(self, vm: str, deadline: Deadline, force: bool = False) -> None:
        network = self._networks.machines().get(vm)
        if network:
            self._networks.remove(network, deadline)
        else:
            self._machines.stop(vm, deadline, force)

    def reboot(self, vm: str, deadline: Deadline, force: bool = False) -> None:
        """A router is made anew by the next document."""
        network = self._networks.machines().get(vm)
        if network:
            self._networks.remove(network, deadline)
        else:
            self._machines.reboot(vm, deadline, force)

    def runs(self, vm: str, deadline: Deadline) -> bool:
        return vm in self._networks.machines() or self._machines.runs(vm, deadline)

    def machines(self, deadline: Deadline) -> list[str]:
        return [*self._networks.machines(), *self._machines.machines(deadline)]
