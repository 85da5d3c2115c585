"""The picture of a network: internet, router, network, machines. Every box is a link; tables say the same."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.portal import looks
from apps.portal.visits import Row

SHOWN = 8  # machines that are drawn; more are counted
PITCH = 44
LONG = 26  # letters of a name
ROOM = 12  # letters for ports
LEAST = 188


@dataclass(frozen=True)
class Box:
    top: int
    name: str
    address: str
    state: str
    url: str
    colour: str
    glyph: str

    @classmethod
    def of(cls, vm: Row, network: str) -> "Box":
        nic: Row = next((nic for nic in vm.get("nic", []) if nic["networkid"] == network), {})
        look, name = looks.of_state(vm["state"]), str(vm.get("displayname") or vm["name"])
        short = name if len(name) <= LONG else f"{name[: LONG - 1]}…"
        state, address = looks.state_label(vm["state"]), str(nic.get("ipaddress", ""))
        return cls(0, short, address, state, f"/machines/{vm['id']}", look.colour, look.glyph)

    @property
    def middle(self) -> int:
        return self.top + 18

    @property
    def glyph_at(self) -> int:
        return self.top + 12

    @property
    def first_line(self) -> int:
        return self.top + 16

    @property
    def second_line(self) -> int:
        return self.top + 30


@dataclass
class Picture:
    title: str
    said: str
    router: str
    router_state: str
    gateway: str
    ports: str
    is_open: bool
    notes: list[tuple[int, str]]
    boxes: list[Box] = field(default_factory=list)

    @property
    def height(self) -> int:
        return max(LEAST, 24 + PITCH * len(self.boxes))

    @property
    def middle(self) -> int:
        return self.height // 2

    @property
    def bus(self) -> int:
        return self.height - 20

    @property
    def cloud(self) -> int:
        return self.middle - 134

    @property
    def cloud_text(self) -> int:
        return self.middle + 36

    @property
    def ports_at(self) -> int:
        return self.middle + 18

    @property
    def router_at(self) -> int:
        return self.middle - 22

    @property
    def router_first(self) -> int:
        return self.middle - 3

    @property
    def router_second(self) -> int:
        return self.middle + 13

    @property
    def gateway_at(self) -> int:
        return self.middle - 10


def picture(network: Row, machines: Sequence[Row], addresses: Sequence[Row], open_ports: Sequence[str]) -> Picture:
    own = network.get("type") == "Isolated"
    state = _("own router") if own else _("router of the operator")
    if own and network.get("state") == "Allocated":
        state = _("made with the first machine")
    found = Picture(
        title=f"{network['name']} {network.get('cidr', '')}".strip(),
        said=_("From the internet through the router to the machines"),
        router=_("Router"),
        router_state=state,
        gateway=str(network.get("gateway", "")),
        ports=_shortened(open_ports),
        is_open=bool(open_ports),
        notes=[],
    )
    drawn = machines[:SHOWN]
    found.boxes = [Box.of(vm, network["id"]) for vm in drawn]
    top = (found.height - PITCH * len(drawn)) // 2 + 4
    found.boxes = [replace(box, top=top + PITCH * place) for place, box in enumerate(found.boxes)]
    texts = [_address(address) for address in addresses[:4]]
    found.notes = [(found.middle + 42 + 16 * place, text) for place, text in enumerate(texts)]
    if len(machines) > SHOWN:
        more = len(machines) - SHOWN
        text = ngettext("and %(n)s more machine", "and %(n)s more machines", more) % {"n": more}
        found.notes.append((found.middle - 34, text))
    return found


def _shortened(ports: Sequence[str]) -> str:
    """As many as there is room for beside the line."""
    said = ""
    for place, port in enumerate(ports):
        longer = f"{said}, {port}" if said else port
        if len(longer) > ROOM:
            return f"{said}…" if place else f"{port[:ROOM]}…"
        said = longer
    return said


def _address(address: Row) -> str:
    if address.get("issourcenat"):
        return _("%(address)s source NAT") % {"address": address["ipaddress"]}
    if address.get("isstaticnat"):
        return f"{address['ipaddress']} → {address.get('virtualmachinename', '')}"
    return str(address["ipaddress"])
