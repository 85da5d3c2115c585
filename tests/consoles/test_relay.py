"""The real application between a real viewer and a real screen."""

import json
import logging
import struct
import threading
import time
from datetime import timedelta

import pytest
from django.utils import timezone
from websockets.exceptions import ConnectionClosed, InvalidStatus

from apps.accounts.models import Session
from apps.accounts.services import sign_on
from apps.consoles import relay
from apps.consoles.models import Ticket
from apps.hypervisors.base import ConsoleAddress
from apps.hypervisors.errors import Unknown
from apps.machines.models import VirtualMachine
from tests.consoles.conftest import PASSWORD, PICTURE, Screen, end_of, token_of, until


def test_the_screen_is_passed_on_and_keys_arrive(alice, view, stream, screen):
    socket = view(token_of(alice))
    viewer = stream(socket)

    assert socket.subprotocol == "binary"
    assert viewer.enter() == (b"RFB 003.008\n", bytes([1, 1]), bytes(4))
    assert viewer.read(len(PICTURE)) == PICTURE
    key = struct.pack(">BBxxI", 4, 1, ord("a"))
    socket.send(key)
    assert viewer.read(len(key)) == key
    assert screen.heard == key


def test_of_two_relays_with_one_token_one_opens(alice, view, web):
    token, ends = token_of(alice), []
    start = threading.Barrier(4)

    def try_it():
        socket = view(token)
        start.wait(5)
        try:
            ends.append(socket.recv(timeout=10))
        except ConnectionClosed as closed:
            ends.append(closed.rcvd.code)

    threads = [threading.Thread(target=try_it) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)

    assert sorted(ends, key=str) == [4001, 4001, 4001, b"RFB 003.008\n"]
    assert Ticket.objects.count() == 0


def test_a_token_that_is_none_is_told_so(alice, view):
    assert end_of(view("made-up")) == (4001, "the token is unknown, was used, or is too old")


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"protocols": ("chat",)},
        {"token": ""},
        {"address": "/elsewhere"},
    ],
)
def test_who_comes_from_elsewhere_is_not_let_in(alice, view, wrong):
    token = token_of(alice)

    with pytest.raises(InvalidStatus) as error:
        view(**{"token": token} | wrong)

    assert error.value.response.status_code == 403
    assert Ticket.objects.count() == 1


def test_a_program_that_is_no_browser_names_no_origin(alice, view, stream):
    assert stream(view(token_of(alice), origin=None)).enter()[2] == bytes(4)


def test_a_console_closes_when_the_machine_stops(alice, view, stream):
    socket = view(token_of(alice))
    stream(socket).enter()

    VirtualMachine.all_tenants.all().kernel_update(state="Stopping")

    assert end_of(socket) == (4002, "the machine does not run")


def test_a_screen_that_closes_is_told_apart_from_a_machine_that_stopped(alice, view, stream, screen):
    socket = view(token_of(alice))
    stream(socket).enter()
    until(lambda: screen.inside)

    screen.close()

    assert end_of(socket) == (4009, "the screen has closed")


def test_a_console_closes_when_its_session_ends(alice, view, stream):
    opened = sign_on.open_session(alice.user)
    socket = view(token_of(alice), cookie=opened.cookie)
    stream(socket).enter()

    sign_on.close_session(opened.session)

    assert end_of(socket) == (4003, "the session has ended")


@pytest.mark.parametrize(
    ("message", "kept"),
    [(struct.pack(">BBxxI", 4, 1, ord("a")), True), (struct.pack(">BBHHHH", 3, 1, 0, 0, 9, 9), False)],
    ids=["a key", "a picture that is asked for"],
)
def test_a_key_keeps_the_session_alive_and_a_picture_does_not(alice, view, stream, message, kept):
    opened = sign_on.open_session(alice.user)
    before = timezone.now() - timedelta(minutes=10)
    socket = view(token_of(alice), cookie=opened.cookie)
    viewer = stream(socket)
    viewer.enter()
    viewer.read(len(PICTURE))
    time.sleep(0.3)
    Session.objects.update(used=before)

    socket.send(message)
    viewer.read(len(message))
    time.sleep(0.5)

    assert (Session.objects.get().used > before) is kept


def test_a_viewer_that_says_nothing_is_let_go(api, make, alice, view, stream):
    api(make.root(), "updateConfiguration", name="consoleproxy.session.timeout", value="1000")
    socket = view(token_of(alice))
    stream(socket).enter()

    assert end_of(socket) == (4006, "nothing was heard for too long")


def test_no_console_is_for_ever(alice, view, stream, monkeypatch):
    monkeypatch.setattr(relay, "LONGEST", 0.3)
    socket = view(token_of(alice))
    stream(socket).enter()

    assert end_of(socket) == (4007, "consoles end after twelve hours")


def test_a_viewer_who_leaves_leaves_nothing_open(alice, view, stream, screen):
    socket = view(token_of(alice))
    stream(socket).enter()
    until(lambda: screen.inside)

    socket.close()

    until(lambda: not relay._open)
    assert screen.inside[0].recv(1) == b""


def test_more_consoles_than_a_process_takes_are_turned_away(alice, view, monkeypatch):
    monkeypatch.setattr(relay, "MOST", 0)
    token = token_of(alice)

    assert end_of(view(token)) == (4008, "too many consoles are open")
    assert Ticket.objects.count() == 1


@pytest.mark.parametrize("wrong", ["port", "password", "unknown"])
def test_a_screen_that_cannot_be_reached_tells_nothing_of_hosts(alice, view, cloud, screen, wrong):
    port = 1 if wrong == "port" else screen.port
    cloud.screens[str(alice.vm.uuid)] = ConsoleAddress("127.0.0.1", port, "bad")
    if wrong == "unknown":
        cloud.fail("console.open", Unknown("host h1 did not answer"))

    assert end_of(view(token_of(alice))) == (4005, "the screen cannot be reached")


def test_a_viewer_that_takes_nothing_is_not_buffered_for(alice, view, stream, cloud):
    """What a screen can get rid of while nobody reads is what sockets hold, not what there is."""
    flood = Screen(picture=bytes(64 << 20))
    cloud.screens[str(alice.vm.uuid)] = ConsoleAddress("127.0.0.1", flood.port, PASSWORD)
    socket = view(token_of(alice))
    stream(socket).enter()
    time.sleep(1.0)

    sent, taken = flood.sent, 0
    while taken < 64 << 20:
        taken += len(socket.recv(timeout=10))

    assert 0 < sent < 24 << 20
    assert taken == flood.sent == 64 << 20
    flood.close()


def test_no_token_is_written_into_a_log(alice, view, stream, caplog):
    caplog.set_level(logging.INFO)
    token = token_of(alice)
    stream(view(token)).enter()

    written = json.dumps([record.getMessage() for record in caplog.records])
    assert f"opens the console of machine {alice.vm.uuid}" in written
    assert "/console/relay" in written
    assert token not in written
