"""The console of a machine that is simulated: its test card in the browser, and keys that arrive there."""

import uuid

import pytest

from tests.clouds import until

# Of a copy: browsers warn of screens that are read all the time.
COPY = """
    const canvas = document.querySelector("[data-screen] canvas");
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
"""
PIXEL = f"([x, y]) => {{ {COPY} return [...copy.getImageData(x, y, 1, 1).data].slice(0, 3); }}"
# How many pixels of some rows of the card are as bright as its letters.
INK = f"""([y, height]) => {{ {COPY}
    const {{ data }} = copy.getImageData(0, y, canvas.width, height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) count += data[at] > 200;
    return count;
}}"""
POST = """key => fetch(`/console/${key}`, {method: "POST", headers: {"X-CSRFToken": document.body.dataset.csrf}})
    .then(answer => answer.status)"""
TYPED, LAST_KEY, HIGH = 300, 270, 18
RED, WHITE = [0xC0, 0, 0], [0xC0, 0xC0, 0xC0]


@pytest.fixture(scope="module")
def vm(api):
    zone = next(z["id"] for z in api.listZones()["zone"] if z["networktype"] == "Advanced")
    order = {
        "zoneid": zone,
        "templateid": api.listTemplates(templatefilter="featured", zoneid=zone)["template"][0]["id"],
        "serviceofferingid": api.listServiceOfferings(name="Small Instance")["serviceoffering"][0]["id"],
        "networkids": next(n["id"] for n in api.listNetworks(zoneid=zone)["network"] if n["type"] == "Isolated"),
        "name": f"screen-{uuid.uuid4().hex[:5]}",
    }
    made = api.deployVirtualMachine(**order, fetch_result=True)["virtualmachine"]["id"]
    yield made
    api.destroyVirtualMachine(id=made, fetch_result=True)


@pytest.fixture
def eve(root_api):
    """Of another tenant."""
    name, domain = f"eve-{uuid.uuid4().hex[:5]}", root_api.listDomains(name="acme")["domain"][0]["id"]
    who = {"firstname": "Eve", "lastname": "Other", "email": "eve@example.com", "password": "password"}
    made = root_api.createAccount(username=name, accounttype=0, domainid=domain, **who)["account"]
    yield name
    root_api.deleteAccount(id=made["id"], fetch_result=True)


def connected(page, at="connected"):
    page.wait_for_selector(f'[data-console][data-state="{at}"]', timeout=20_000)


def ink(page, y):
    return page.evaluate(INK, [y, HIGH])


def grows(page, y, before):
    until(lambda: ink(page, y) > before, 10)
    return ink(page, y)


def opened(somebody, vm):
    somebody.log_in().go(f"/machines/{vm}/console")
    connected(somebody.page)
    until(lambda: somebody.page.evaluate(PIXEL, [480, 50]) == RED, 10)
    return somebody.page


def test_the_test_card_is_seen_and_a_key_arrives(person, vm):
    ann = person()
    ann.log_in().go(f"/machines/{vm}")
    ann.page.click("#head a:has-text('Console')")
    connected(ann.page)
    page = ann.page

    until(lambda: page.evaluate(PIXEL, [480, 50]) == RED, 10)
    assert page.evaluate(PIXEL, [40, 50]) == WHITE
    before = ink(page, TYPED)
    assert page.evaluate("document.activeElement.tagName") == "CANVAS"
    page.keyboard.type("gmw")  # "g m" would lead to another page, were it not for the screen
    grows(page, TYPED, before + 60)
    assert ann.path == f"/machines/{vm}/console"
    assert grows(page, LAST_KEY, 0)


def test_ctrl_alt_del_and_text_are_sent(person, vm):
    ann = person()
    page = opened(ann, vm)
    before = ink(page, TYPED)

    page.click("button:has-text('Ctrl-Alt-Del')")
    last = grows(page, LAST_KEY, 0)
    page.click(".bar-row button:has-text('Paste text')")
    page.fill("#pasted", "Hello, world | @{}")
    page.select_option("#layout", "de")
    page.click("button:has-text('Type it')")

    page.wait_for_selector("#paste", state="hidden")
    grows(page, TYPED, before + 400)
    assert ink(page, LAST_KEY) != last
    ann.shot("console-typed")


def test_the_keyboard_is_given_back(person, vm):
    page = opened(person(), vm)

    page.keyboard.press("Control+Shift+Escape")

    assert page.evaluate("document.activeElement.dataset.do") == "reset"


def test_no_token_is_in_an_address(person, vm):
    ann = person()
    sockets = []
    ann.page.on("websocket", lambda socket: sockets.append(socket.url))
    opened(ann, vm)

    assert sockets == [f"{ann.base.replace('http', 'ws')}/console/relay"]
    assert [request.url for request in ann.asked if "token" in request.url] == []


def test_a_console_that_ended_is_opened_again_with_a_new_token(person, vm):
    ann = person()
    page = opened(ann, vm)
    page.goto(ann.base + f"/console/{vm}#made-up")
    connected(page, "ended")

    assert page.inner_text('[data-why="4001"] strong') == "This token opens nothing any more"
    assert page.evaluate("location.hash") == ""
    page.click("button:has-text('Connect again')")
    connected(page)
    until(lambda: page.evaluate(PIXEL, [480, 50]) == RED, 10)


def test_an_address_of_the_api_opens_without_a_login_once(person, vm, api):
    said = api.createConsoleEndpoint(virtualmachineid=vm)["consoleendpoint"]
    somebody = person()

    somebody.page.goto(said["url"])
    connected(somebody.page)
    until(lambda: somebody.page.evaluate(PIXEL, [480, 50]) == RED, 10)

    other = person()
    other.page.goto(said["url"])
    connected(other.page, "ended")
    other.page.click("button:has-text('Connect again')")
    other.page.wait_for_selector('[data-why="4003"]', state="visible")


def test_a_machine_that_stops_ends_its_console_and_the_page_says_so(person, vm, api):
    page = opened(person(), vm)

    api.stopVirtualMachine(id=vm, fetch_result=True)

    page.wait_for_selector("text=There is nothing on the screen", timeout=20_000)
    page.wait_for_selector("#head .state:has-text('Stopped')", timeout=20_000)
    page.click("#head button:has-text('Start')")
    until(lambda: api.listVirtualMachines(id=vm)["virtualmachine"][0]["state"] == "Running", 30)


def test_somebody_elses_console_is_a_page_that_does_not_exist(person, vm, eve):
    other = person()
    other.log_in(eve, "acme")
    absent = "00000000-0000-4000-8000-000000000000"

    seen = []
    for key in (vm, absent):
        for path in (f"/machines/{key}/console", f"/console/{key}"):
            answer = other.go(path)
            seen.append((answer.status, other.page.inner_text("h1")))
        seen.append(other.page.evaluate(POST, key))

    assert seen[:3] == seen[3:]
    assert seen[:3] == [(404, "There is nothing here"), (404, "There is nothing here"), 404]


def test_without_a_script_the_page_says_that_it_needs_one(person, vm):
    plain = person(script=False)
    plain.log_in().go(f"/machines/{vm}/console")

    assert "The console needs JavaScript" in plain.text()
    assert not plain.page.is_visible("[data-console]")


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_page_is_accessible_light_and_fits(person, vm, language):
    for theme in ("light", "dark"):
        ann = person(theme=theme, language=language)
        page = opened(ann, vm)
        for size in ("wide", "narrow"):
            ann.dress(size, theme)
            assert (ann.too_wide(), ann.cut(), ann.violations()) == (0, [], [])
            ann.shot(f"console-{language}")
        page.click('.bar-row [data-do="paste"]')
        assert (ann.too_wide(), ann.cut(), ann.violations()) == (0, [], [])
        ann.shot(f"console-paste-{language}")
