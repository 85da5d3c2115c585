"""Names of links that are ours: by them we know what may be removed. At most 15 letters, as the kernel has it."""

import re
from hashlib import sha256

from agent.net.layout import VXLAN, Segment

PREFIX = re.compile(r"[a-z][a-z0-9]{0,3}")
LONGEST = 15


class Names:
    def __init__(self, prefix: str = "cp"):
        if not PREFIX.fullmatch(prefix):
            raise ValueError(f"prefix {prefix!r}: one to four small letters and digits")
        self.prefix = prefix
        self.bridges = re.compile(rf"{prefix}b([0-9a-f]{{4}}-[0-9]{{1,4}}|-x[0-9]{{1,8}})")
        self.tunnels = re.compile(rf"{prefix}(v[0-9a-f]{{4}}-[0-9]{{1,4}}|x-[0-9]{{1,8}})")

    def bridge(self, segment: Segment) -> str:
        if segment.isolation == VXLAN:
            return f"{self.prefix}b-x{segment.number}"
        return f"{self.prefix}b{_digest(segment.physical.device, 4)}-{segment.number or 0}"

    def is_card(self, bridge: str, device: str) -> bool:
        """Is it the card that our bridge for untagged traffic was made on?"""
        return bridge == f"{self.prefix}b{_digest(device, 4)}-0"

    def tunnel(self, segment: Segment) -> str:
        """What leads the segment out of the host; not for the untagged one."""
        if segment.isolation == VXLAN:
            return f"{self.prefix}x-{segment.number}"
        return f"{self.prefix}v{_digest(segment.physical.device, 4)}-{segment.number}"

    def cable(self, of: str, what: str) -> str:
        """The host's end of the cable that ends as ``what`` in the router of a network."""
        head = f"{self.prefix}r"
        return head + _digest(f"{of} {what}", LONGEST - len(head))

    def cables(self) -> re.Pattern[str]:
        return re.compile(rf"{self.prefix}r[0-9a-f]{{{LONGEST - len(self.prefix) - 1}}}")

    def space(self, network: str) -> str:
        """The network namespace of a network's router."""
        return f"{self.prefix}-{network}"

    def network_of(self, space: str) -> str:
        """The network whose router has this namespace; "" if it is not ours."""
        found = re.fullmatch(rf"{self.prefix}-([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})", space)
        return found[1] if found else ""


def _digest(words: str, length: int) -> str:
    return sha256(words.encode()).hexdigest()[:length]
