"""Who may look at the screen of a machine: a token is given, used once, and what it rested on is looked at again."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

from django.db.models import Q
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.services import sign_on
from apps.consoles.models import Ticket
from apps.core.callers import Access, Caller
from apps.core.dispatch import authorised
from apps.core.errors import CloudError, InvalidParameter, PermissionDenied
from apps.core.settings import Setting
from apps.hypervisors.base import OpenScreen
from apps.hypervisors.errors import DriverError
from apps.infrastructure.drivers import driver_for
from apps.machines.models import VirtualMachine

COMMAND = "createConsoleEndpoint"
GOOD_FOR = timedelta(seconds=60)
ASKING = 10.0  # seconds that a host has to say where the screen is
IDLE = Setting(
    "consoleproxy.session.timeout",
    300000,
    help_text="Milliseconds without a word from the viewer after which a console is closed.",
    minimum=1000,
)


class Why(Enum):
    """Why a console is closed: the status of the WebSocket, and what is said with it."""

    NO_GOOD = 4001, "the token is unknown, was used, or is too old"
    NOT_RUNNING = 4002, "the machine does not run"
    SESSION_ENDED = 4003, "the session has ended"
    NOT_ALLOWED = 4004, "the machine is out of reach"
    NO_SCREEN = 4005, "the screen cannot be reached"
    IDLE = 4006, "nothing was heard for too long"
    TOO_LONG = 4007, "consoles end after twelve hours"
    CROWDED = 4008, "too many consoles are open"
    GONE = 4009, "the screen has closed"

    @property
    def code(self) -> int:
        return self.value[0]

    @property
    def text(self) -> str:
        return self.value[1]


class Closed(Exception):
    def __init__(self, why: Why):
        super().__init__(why.text)
        self.why = why


@dataclass(frozen=True)
class Seat:
    """One viewer of one machine. ``cookie`` is that of a session that the console ends with; "" without one."""

    user: int
    vm: int
    host: int
    uuid: str  # of the machine
    name: str
    cookie: str = ""


def create_ticket(*, vm: VirtualMachine, user: User | None) -> str:
    """The token, which is told once and kept nowhere."""
    if user is None:
        raise PermissionDenied("a console is opened by a user, and this call has none")
    if vm.state != VirtualMachine.State.RUNNING:
        raise InvalidParameter(f"virtualmachineid: the machine {vm.uuid} is {vm.state}, a console needs it Running")
    token = secrets.token_urlsafe(32)
    Ticket.objects.create(digest=_digest(token), vm=vm, user=user, expires=timezone.now() + GOOD_FOR)
    return token


def redeem(token: str, cookie: str = "") -> Seat:
    """Who deletes the row has used the token, whichever process that is. What it was given for is looked at after
    that: a token that is refused is used up as well.
    """
    ticket = Ticket.objects.filter(digest=_digest(token), expires__gt=timezone.now()).first()
    if ticket is None or not Ticket.objects.filter(pk=ticket.pk).delete()[0]:
        raise Closed(Why.NO_GOOD)
    return _seat(ticket.user_id, ticket.vm_id, cookie)


def look_again(seat: Seat, *, active: bool) -> None:
    """Raises ``Closed`` when what the console rests on is no more. ``active``: a key keeps the session alive."""
    if _seat(seat.user, seat.vm, seat.cookie, touch=active).host != seat.host:
        raise Closed(Why.GONE)


def _seat(user_key: int, vm_key: int, cookie: str, *, touch: bool = False) -> Seat:
    caller = _caller(user_key, cookie, touch)
    reach: Q = VirtualMachine.reach.q(caller, Access.OPERATE)
    vm = VirtualMachine.all_tenants.filter(reach, VirtualMachine.named, pk=vm_key).first()
    if vm is None:
        raise Closed(Why.NOT_ALLOWED)
    if vm.state != VirtualMachine.State.RUNNING or vm.host_id is None:
        raise Closed(Why.NOT_RUNNING)
    return Seat(user_key, vm_key, vm.host_id, str(vm.uuid), vm.display_name or vm.name, cookie)


def _caller(user_key: int, cookie: str, touch: bool) -> Caller:
    users = User.all_tenants.select_related("account__domain", "account__role")
    user = users.filter(pk=user_key).first()
    if user is None or not sign_on.is_active(user):
        raise Closed(Why.SESSION_ENDED)
    if cookie:
        session = sign_on.session_of(cookie, touch=touch)
        if session is None:
            raise Closed(Why.SESSION_ENDED)
        if session.user_id != user_key:
            raise Closed(Why.NO_GOOD)
    caller = sign_on.caller_of(user, "session")
    try:
        authorised(caller, COMMAND)
    except CloudError:
        raise Closed(Why.NOT_ALLOWED) from None
    return caller


def open_screen(seat: Seat) -> OpenScreen:
    """A connection that the host has opened, with a password that is good now."""
    vm = VirtualMachine.all_tenants.select_related("host").get(pk=seat.vm)
    driver: Any = driver_for(vm.host)
    try:
        screen: OpenScreen = driver.console.open(str(vm.uuid), within=ASKING)
    except (DriverError, CloudError, AttributeError) as error:  # some drivers have no consoles
        raise Closed(Why.NO_SCREEN) from error
    return screen


def drop_expired() -> None:
    Ticket.objects.filter(expires__lt=timezone.now()).delete()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
