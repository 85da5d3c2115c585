"""A token opens one console once, for the one it was given to, while that one may."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.services import sign_on
from apps.configuration.endpoint import ENDPOINT
from apps.consoles import services
from apps.consoles.commands.endpoints import addresses
from apps.consoles.models import Ticket
from apps.consoles.services import Closed, Why
from apps.core.errors import InvalidParameter, PermissionDenied
from apps.machines.models import VirtualMachine
from apps.rbac.services import replace_rules
from tests.conftest import unknown


def endpoint(api, alice):
    return api(alice.caller, "createConsoleEndpoint", virtualmachineid=alice.vm.uuid)["consoleendpoint"]


def refused(token, cookie=""):
    with pytest.raises(Closed) as error:
        services.redeem(token, cookie)
    return error.value.why


def test_the_answer_names_a_page_and_a_socket(api, alice):
    said = endpoint(api, alice)

    token = said["websocket"]["token"]
    assert said == {
        "success": True,
        "url": f"http://localhost:8080/console/{alice.vm.uuid}#{token}",
        "websocket": {"host": "localhost", "port": "8080", "path": "console/relay", "token": token},
    }
    assert ENDPOINT.value() == "http://localhost:8080/client/api"
    secure = addresses("https://cloud.example/client/api", alice.vm, "t")
    assert secure["url"] == f"https://cloud.example/console/{alice.vm.uuid}#t"
    assert secure["websocket"]["port"] == "443"


def test_a_token_is_not_kept_and_opens_once(api, alice):
    token = endpoint(api, alice)["websocket"]["token"]
    kept = Ticket.objects.get()
    assert token not in (kept.digest, str(vars(kept)))

    seat = services.redeem(token)

    assert (seat.uuid, seat.user, seat.name) == (str(alice.vm.uuid), alice.user.pk, "web-1")
    assert refused(token) is Why.NO_GOOD
    assert refused("made up") is Why.NO_GOOD


def test_a_token_ends_after_a_minute(api, alice):
    token = endpoint(api, alice)["websocket"]["token"]
    Ticket.objects.update(expires=timezone.now() - timedelta(seconds=1))

    assert refused(token) is Why.NO_GOOD

    services.drop_expired()
    assert Ticket.objects.count() == 0


def test_a_machine_of_somebody_else_is_refused_and_so_is_one_that_does_not_exist(api, make, alice):
    bob = make.account("bob").users.get()

    with pytest.raises(PermissionDenied) as foreign:
        api(sign_on.caller_of(bob, "key"), "createConsoleEndpoint", virtualmachineid=alice.vm.uuid)
    with pytest.raises(InvalidParameter) as absent:
        api(sign_on.caller_of(bob, "key"), "createConsoleEndpoint", virtualmachineid=unknown())

    assert (foreign.value.code, absent.value.code) == (531, 431)
    assert "web-1" not in str(foreign.value)
    assert Ticket.objects.count() == 0


def test_a_machine_that_does_not_run_gets_no_token(api, alice):
    VirtualMachine.all_tenants.all().kernel_update(state="Stopped")

    with pytest.raises(InvalidParameter, match="is Stopped, a console needs it Running"):
        endpoint(api, alice)

    assert Ticket.objects.count() == 0


def stops(alice):
    VirtualMachine.all_tenants.all().kernel_update(state="Stopping")


def changes_hands(alice):
    VirtualMachine.all_tenants.all().kernel_update(owner=alice.other, domain_path="/other/")


def is_disabled(alice):
    User.all_tenants.filter(pk=alice.user.pk).kernel_update(state="disabled")


def loses_the_command(alice):
    replace_rules(role=alice.user.account.role, rules=[("createConsoleEndpoint", False)])


@pytest.mark.parametrize(
    ("happens", "why"),
    [
        (stops, Why.NOT_RUNNING),
        (changes_hands, Why.NOT_ALLOWED),
        (is_disabled, Why.SESSION_ENDED),
        (loses_the_command, Why.NOT_ALLOWED),
    ],
)
def test_what_a_token_rests_on_is_looked_at_when_it_is_used_and_after(api, make, alice, happens, why):
    alice.other = make.account("bob")
    seat = services.redeem(endpoint(api, alice)["websocket"]["token"])
    token = endpoint(api, alice)["websocket"]["token"]

    happens(alice)

    with pytest.raises(Closed) as error:
        services.look_again(seat, active=False)
    assert error.value.why is why
    assert refused(token) is why
    assert refused(token) is Why.NO_GOOD


def test_a_console_ends_with_its_session_and_is_nothing_for_another_ones(api, make, alice):
    opened = sign_on.open_session(alice.user)
    seat = services.redeem(endpoint(api, alice)["websocket"]["token"], opened.cookie)
    services.look_again(seat, active=True)
    bob = sign_on.open_session(make.account("bob").users.get())

    assert refused(endpoint(api, alice)["websocket"]["token"], bob.cookie) is Why.NO_GOOD
    sign_on.close_session(opened.session)

    with pytest.raises(Closed) as error:
        services.look_again(seat, active=True)
    assert error.value.why is Why.SESSION_ENDED


def test_a_screen_that_moved_to_another_host_has_closed(api, make, alice):
    seat = services.redeem(endpoint(api, alice)["websocket"]["token"])
    VirtualMachine.all_tenants.update(host=make.host("h2"))

    with pytest.raises(Closed) as error:
        services.look_again(seat, active=False)

    assert error.value.why is Why.GONE


def test_a_call_without_a_user_is_refused(alice):
    with pytest.raises(PermissionDenied, match="^a console is opened by a user"):
        services.create_ticket(vm=alice.vm, user=None)

    assert Ticket.objects.count() == 0
