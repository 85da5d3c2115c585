"""Where QEMU finds the bytes of a disk: as libvirt and ``qemu-img`` are told."""

import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Source:
    """``path`` is a file's, an export's, or TARGET/LUN. Of a raw disk that is a part of a unit
    ``start`` and ``size`` tell which.
    """

    protocol: str  # file, nfs, iscsi
    path: str
    format: str  # qcow2, raw
    host: str = ""
    port: int = 0
    start: int = 0
    size: int = 0
    user: str = ""
    secret: str = ""  # uuid of libvirt's secret, not the secret
    initiator: str = ""
    backing: "Source | None" = None

    def url(self) -> str:
        """For who makes the file."""
        return self.path if self.protocol == "file" else f"nfs://{self.host}{quote(self.path)}?uid=0&gid=0"

    def name(self) -> str:
        """As a file beside it calls it: a directory may be mounted elsewhere tomorrow."""
        return self.path.rpartition("/")[2] if self.protocol == "file" else self.url()

    def plain(self) -> "Source":
        """The same bytes, not seen as an image."""
        return replace(self, format="raw", backing=None)


def node(source: Source) -> dict[str, Any]:
    """A node of QEMU's block layer with all that is below it spelled out: what a header says of other files is void."""
    found: dict[str, Any] = {"driver": source.format, "file": _protocol(source)}
    if source.format == "raw" and source.size:
        found |= {"offset": source.start, "size": source.size}
    if source.format == "qcow2":
        found["backing"] = node(source.backing) if source.backing else None
    return found


def _protocol(source: Source) -> dict[str, Any]:
    if source.protocol == "file":
        return {"driver": "file", "filename": source.path}
    if source.protocol == "nfs":
        server = {"type": "inet", "host": source.host}
        return {"driver": "nfs", "server": server, "path": source.path, "user": 0, "group": 0}
    target, _, unit = source.path.rpartition("/")
    portal = f"{source.host}:{source.port}"
    found = {"driver": "iscsi", "transport": "tcp", "portal": portal, "target": target, "lun": int(unit)}
    found["initiator-name"] = source.initiator
    return found | ({"user": source.user, "password-secret": "chap"} if source.user else {})


def spelled(source: Source) -> str:
    return f"json:{json.dumps(node(source), separators=(',', ':'))}"
