"""The driver of a real host for the suite that all drivers pass: its short names become uuids, a disk without a pool is
in the lab's, and what only a guest that has booted can do waits for that.
"""

import dataclasses
import uuid

from apps.hypervisors.base import DiskSpec, MachineSpec, NicSpec, PoolSpec
from tests.lab.agents import segment_of
from tests.lab.tools.documents import document

PATIENCE = {"reboot": 20.0, "stop": 20.0}
GUEST_NEEDED = ("detach", "unplug")


class Names:
    def __init__(self, pool, template):
        self.pool, self.template = pool, template
        self._space = uuid.uuid4()
        self.disks, self.machines = set(), set()

    def uuid(self, name):
        return str(uuid.uuid5(self._space, name))

    def translated(self, value):
        if isinstance(value, str):
            return self.uuid(value)
        if isinstance(value, PoolSpec):
            return dataclasses.replace(self.pool, uuid=self.uuid(value.uuid))
        if isinstance(value, DiskSpec):
            pool = self.translated(value.pool) if value.pool else self.pool
            image = self.template if value.uuid == "d" else None  # what machines of the suite begin with
            self.disks.add((self.uuid(value.uuid), pool))
            return dataclasses.replace(value, uuid=self.uuid(value.uuid), pool=pool, image=image)
        if isinstance(value, NicSpec):
            network = self.uuid(value.network)
            return dataclasses.replace(value, uuid=self.uuid(value.uuid), network=network, segment=segment_of(network))
        if isinstance(value, MachineSpec):
            self.machines.add(self.uuid(value.uuid))
            nics, disks = (tuple(map(self.translated, each)) for each in (value.nics, value.disks))
            return dataclasses.replace(value, uuid=self.uuid(value.uuid), memory_mib=96, disks=disks, nics=nics)
        if isinstance(value, dict):
            network = self.uuid(value["network"])
            return document(generation=value["generation"], network=network, segment=segment_of(network))
        return value


class Named:
    def __init__(self, host, names, inner=None):
        self._host, self._names, self._inner = host, names, inner or host.driver()

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        return self._call(name, found) if callable(found) else Named(self._host, self._names, found)

    def _call(self, name, function):
        def call(*values, within, **more):
            given = [self._names.translated(value) for value in values]
            if name in GUEST_NEEDED and given[0] in self._host.domains():
                self._host.guest(given[0], "true", seconds=120)
            told = {key: self._names.translated(value) for key, value in more.items()}
            found = function(*given, within=PATIENCE.get(name, 60.0), **told)
            if isinstance(found, frozenset):
                return frozenset(n for n in ("m",) if self._names.uuid(n) in found)
            return found

        return call
