"""What libvirt tells: said on to the manager, and to whoever waits here. Nothing in here calls libvirt: events come on
its own thread.
"""

from collections.abc import Callable
from typing import Any

from agent.host.domain_xml import DISK, NIC
from agent.host.link import Link
from agent.host.networking import Segments

STATES = {"STARTED": "running", "RESUMED": "running", "STOPPED": "stopped", "SUSPENDED": "paused"}
REASONS = ("SHUTDOWN", "DESTROYED", "CRASHED", "MIGRATED", "SAVED", "FAILED", "FROM_SNAPSHOT")
Tell = Callable[..., None]


class Events:
    def __init__(self, link: Link, segments: Segments, tell: Tell, rebooted: Callable[[str], None]):
        self._link, self._segments, self._tell, self._rebooted = link, segments, tell, rebooted
        libvirt = link.libvirt
        self._states = {getattr(libvirt, f"VIR_DOMAIN_EVENT_{name}"): state for name, state in STATES.items()}
        stopped = "VIR_DOMAIN_EVENT_STOPPED_"
        self._reasons = {getattr(libvirt, stopped + name): name.lower().replace("_", " ") for name in REASONS}
        link.on_connect.append(self._register)

    def _register(self, connection: Any) -> None:
        libvirt = self._link.libvirt
        for kind, function in (
            (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._lifecycle),
            (libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, self._reboot),
            (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, self._removed),
            (libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, self._guest_agent),
        ):
            connection.domainEventRegisterAny(None, kind, function, None)

    def _lifecycle(self, connection: Any, domain: Any, event: int, detail: int, opaque: Any) -> None:
        self._link.wake()
        state = self._states.get(event)
        if state:
            reason = self._reasons.get(detail, "") if state == "stopped" else ""
            self._tell("power", machine=domain.UUIDString(), state=state, reason=reason)

    def _reboot(self, connection: Any, domain: Any, opaque: Any) -> None:
        self._rebooted(domain.UUIDString())
        self._link.wake()
        self._tell("power", machine=domain.UUIDString(), state="running", reason="rebooted")

    def _removed(self, connection: Any, domain: Any, alias: str, opaque: Any) -> None:
        self._link.wake()
        for prefix, kind in ((DISK, "disk"), (NIC, "nic")):
            if alias.startswith(prefix):
                device = alias.removeprefix(prefix)
                self._tell("device removed", machine=domain.UUIDString(), device=kind, id=device)
                if kind == "nic":
                    self._segments.unplugged(device)

    def _guest_agent(self, connection: Any, domain: Any, state: int, reason: int, opaque: Any) -> None:
        connected = state == self._link.libvirt.VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED
        self._tell("guest agent", machine=domain.UUIDString(), state="connected" if connected else "disconnected")
