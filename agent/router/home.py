"""Where a host keeps its routers: folders, names, and who may read them."""

from dataclasses import dataclass
from pathlib import Path

from agent.net.names import Names
from agent.state import files

NETWORK = "network"  # the kind under which the store keeps documents
SPACES = Path("/run/netns")
# Of the metadata process, which speaks with guests and has no other right than to read what is for them. A number
# without a name, outside of what distributions and systemd give away.
SERVICE_ID = 64737


@dataclass(frozen=True)
class Home:
    root: Path
    names: Names

    def prepared(self) -> "Home":
        """Open for passing through, so that daemons without rights reach their own folders in it."""
        files.folder(self.root, mode=0o711)
        files.folder(self.root / "locks", mode=0o700)
        files.folder(self.root / "routers", mode=0o711)
        return self

    def lock(self, name: str) -> Path:
        return self.root / "locks" / name

    def folder(self, network: str) -> Path:
        return self.root / "routers" / network

    def space(self, network: str) -> Path:
        return SPACES / self.names.space(network)

    @property
    def metadata(self) -> Path:
        """All that the metadata process sees of the host."""
        return self.root / "metadata"
