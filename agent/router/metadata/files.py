"""The files that the metadata process reads, from the document of a network."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from agent.router.document import Document, Machine
from agent.router.home import SERVICE_ID
from agent.state import files

Rendered = dict[str, bytes]


def render(document: Document, fetched: Mapping[str, str]) -> Rendered:
    """Content by name of file; nothing where the router does not serve it. ``fetched`` passwords are told no more."""
    found: Rendered = {}
    for machine in document.machines if document.has("UserData") else ():
        is_fetched = fetched.get(machine.uuid) == password_id(machine)
        told = _told(document, replace(machine, password="") if is_fetched else machine)
        found[f"{machine.ip}.json"] = json.dumps(told, sort_keys=True).encode()
        if machine.user_data is not None:
            found[f"{machine.ip}.data"] = machine.user_data
    return found


def _told(document: Document, machine: Machine) -> dict[str, Any]:
    return {
        "uuid": machine.uuid,
        "meta": _meta(document, machine),
        "keys": list(machine.keys),
        "password": machine.password,
        "password_id": password_id(machine),
    }


def _meta(document: Document, machine: Machine) -> dict[str, str]:
    public = _public_ip(document, machine)
    given = {
        "instance-id": machine.uuid,
        "vm-id": machine.uuid,
        "local-hostname": machine.name,
        "hostname": machine.name,
        "local-ipv4": str(machine.ip),
        "public-ipv4": public,
        "public-hostname": public,
        "mac": machine.mac,
        "instance-name": machine.instance_name,
        "availability-zone": machine.zone,
        "service-offering": machine.offering,
        "instance-type": machine.offering,
        "cloud-identifier": document.cloud,
        "hypervisor-host-name": machine.host,
    }
    return {name: value for name, value in given.items() if value}


def _public_ip(document: Document, machine: Machine) -> str:
    """The address that is mapped to the machine, else that of the network."""
    mapped = [nat.ip for nat in document.static_nat if nat.to == machine.ip]
    source = [document.source_nat.ip] if document.source_nat else [machine.ip]
    return str((mapped or source)[0])


def password_id(machine: Machine) -> str:
    """What a receipt is about: this password of this machine. A new one is told again, the same one is not."""
    return sha256(f"{machine.uuid} {machine.password}".encode()).hexdigest() if machine.password else ""


class Folder:
    """Of one network. Only the process may read it, and it may write nothing but receipts."""

    def __init__(self, root: Path, network: str):
        self.root = root
        self.data = root / "data" / network
        self.receipts = root / "receipts" / network

    def differs(self, rendered: Rendered) -> bool:
        return {path.name: files.read(path) for path in self._files()} != rendered

    def has_data(self) -> bool:
        return bool(self._files())

    def update(self, rendered: Rendered) -> None:
        self._prepare()
        for path in self._files():
            if path.name not in rendered:
                path.unlink(missing_ok=True)
        for name, content in rendered.items():
            files.update(self.data / name, content, mode=0o640, group=SERVICE_ID)

    def forget_receipts(self, document: Document) -> None:
        """Of machines that went, and of passwords that are not the ones of now."""
        known = {machine.uuid: password_id(machine) for machine in document.machines}
        for uuid, about in self.fetched().items():
            if uuid not in known or known[uuid] not in ("", about):
                (self.receipts / uuid).unlink(missing_ok=True)

    def fetched(self) -> dict[str, str]:
        """Machines that said that they have their password, and which one."""
        if not self.receipts.is_dir():
            return {}
        rows = [path for path in self.receipts.iterdir() if not path.name.endswith(".new")]
        return {path.name: (files.read(path) or b"").decode() for path in sorted(rows)}

    def remove(self) -> None:
        for folder in (self.data, self.receipts):
            for path in folder.iterdir() if folder.is_dir() else ():
                path.unlink(missing_ok=True)
            if folder.is_dir():
                folder.rmdir()

    def _files(self) -> list[Path]:
        return list(self.data.iterdir()) if self.data.is_dir() else []

    def _prepare(self) -> None:
        prepare(self.root)
        files.folder(self.data, mode=0o750, group=SERVICE_ID)
        files.folder(self.receipts, mode=0o700)
        if self.receipts.stat().st_uid != SERVICE_ID:
            os.chown(self.receipts, SERVICE_ID, SERVICE_ID)


def prepare(root: Path) -> None:
    files.folder(root, mode=0o755)
    for name in ("data", "receipts"):
        files.folder(root / name, mode=0o710, group=SERVICE_ID)
