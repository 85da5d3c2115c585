"""The driver of hosts with an agent, with the credentials of this installation."""

import threading
from collections.abc import Callable

from apps.agents.services.files import FILES
from apps.core.logs import job_id, request_id
from apps.hypervisors import libvirt
from apps.hypervisors.base import HostAddress

_lock = threading.Lock()
_made: list[Callable[[HostAddress], libvirt.LibvirtHost]] = []


def connect(address: HostAddress) -> libvirt.LibvirtHost:
    """All hosts share one pool of connections in each process; the files are looked at each time."""
    credentials = FILES.credentials()
    with _lock:
        if not _made:
            _made.append(libvirt.connector(credentials, lambda: job_id.get() or request_id.get()))
        return _made[0](address)
