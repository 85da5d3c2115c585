"""Where primary storage is: URLs as createStoragePool takes them, and what is secret in them."""

import hashlib
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from apps.core import secret
from apps.core.errors import InvalidParameter
from apps.hypervisors.base import PoolSpec
from apps.storage.models import StoragePool


@dataclass(frozen=True)
class Kind:
    type: str  # as listStoragePools says it
    form: str  # for who got it wrong
    hypervisors: tuple[str, ...]
    port: int = 0
    has_server: bool = True  # else the path is one of each host
    is_local: bool = False


KINDS = {
    "nfs": Kind("NetworkFilesystem", "nfs://server/path", ("KVM", "VMware", "XenServer", "Ovm", "Ovm3", "LXC"), 2049),
    "iscsi": Kind("IscsiLUN", "iscsi://server/iqn.2001-04.com.example:disks/1", ("KVM", "XenServer"), 3260),
    "rbd": Kind("RBD", "rbd://user:secret@monitor/pool", ("KVM", "LXC"), 6789),
    "gluster": Kind("Gluster", "gluster://server/volume", ("KVM",), 24007),
    "clvm": Kind("CLVM", "clvm://localhost/volumegroup", ("KVM",), has_server=False),
    "sharedmountpoint": Kind("SharedMountPoint", "sharedmountpoint://localhost/path", ("KVM", "LXC"), has_server=False),
    "presetup": Kind("PreSetup", "presetup://localhost/label", ("VMware", "XenServer"), has_server=False),
    "vmfs": Kind("VMFS", "vmfs://server/datacenter/datastore", ("VMware",)),
    "datastorecluster": Kind("DatastoreCluster", "datastorecluster://server/datacenter/cluster", ("VMware",)),
    "cifs": Kind("SMB", "cifs://server/share", ("Hyperv",), 445),
    "ocfs2": Kind("OCFS2", "ocfs2://localhost/path", ("Ovm", "Ovm3"), has_server=False),
    "file": Kind("Filesystem", "file://host/path", ("KVM", "LXC"), has_server=False, is_local=True),
}
PARTICULAR = {name for kind in KINDS.values() for name in kind.hypervisors}  # the others take all, as simulated ones do


@dataclass(frozen=True)
class Location:
    kind: Kind
    url: str  # without what is secret
    secret: str
    host: str
    port: int
    path: str

    def identity(self, place: str) -> str:
        """The same for two URLs of the same storage. A path without a server is one per place."""
        where = f"{self.host.lower()}:{self.port}" if self.kind.has_server else place
        text = "\n".join((self.kind.type, where, self.path.rstrip("/") or "/"))
        return hashlib.sha256(text.encode()).hexdigest()


def location(url: str, hypervisor: str) -> Location:
    parts = _split(url)
    kind = KINDS.get(parts.scheme.lower())
    if kind is None:
        raise InvalidParameter(f"url: there is no primary storage of the kind {parts.scheme or url!r}")
    if hypervisor in PARTICULAR - set(kind.hypervisors):
        raise InvalidParameter(f"url: {hypervisor} has no primary storage of the kind {parts.scheme}")
    if parts.query or parts.fragment:
        raise InvalidParameter("url: user and password stand before the server, user:password@server")
    host, path = unquote(parts.hostname or ""), unquote(parts.path)
    if not path.strip("/") or not host or ".." in path.split("/"):
        raise InvalidParameter(f"url: say {kind.form}")
    if kind.type == "IscsiLUN" and not _is_target(path):
        raise InvalidParameter(f"url: say {kind.form}, the name of the target and the number of the unit")
    user = parts.netloc.rpartition("@")[0]
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return Location(kind, bare, user, host, _port(parts) or kind.port, path)


def _split(url: str) -> SplitResult:
    if any(character.isspace() for character in url):
        raise InvalidParameter("url: there are no blanks in a URL; write %20")
    try:
        return urlsplit(url)
    except ValueError:
        raise InvalidParameter(f"url: {url} is no URL") from None


def _port(parts: SplitResult) -> int:
    try:
        return parts.port or 0
    except ValueError:
        raise InvalidParameter("url: a port is a number up to 65535") from None


def _is_target(path: str) -> bool:
    target, _, unit = path.strip("/").rpartition("/")
    return target.startswith(("iqn.", "eui.", "naa.")) and unit.isdecimal()


def spec(pool: StoragePool) -> PoolSpec:
    """For drivers, with the secret in its place."""
    return PoolSpec(str(pool.uuid), pool.type, full(pool.url, secret.unseal(pool.secret) if pool.secret else ""))


def full(url: str, user: str) -> str:
    return url.replace("://", f"://{user}@", 1) if user else url
