"""Every page, in both sizes and themes: nothing too wide or cut, accessible, light; and its picture."""

import pytest

from tests.browser.conftest import HEAVY, MANY

PLAIN = {
    "dashboard": "/",
    "machines": "/machines",
    "machines-filters": "/machines?panel=filters&state=Running",
    "machines-nothing": "/machines?keyword=nosuchmachine",
    "volumes": "/volumes",
    "key-pairs": "/key-pairs",
    "networks": "/networks",
    "addresses": "/addresses",
    "limits": "/limits",
    "events": "/events",
    "jobs": "/jobs",
    "search": "/search?q=lab",
    "keys": "/keys-help",
    "account-keys": "/account/keys",
    "account-password": "/account/password",
    "account-sessions": "/account/sessions",
    "new-volume": "/do/createVolume",
    "new-network": "/do/createNetwork",
    "new-key-pair": "/do/createSSHKeyPair",
    "register-key": "/do/registerSSHKeyPair",
    "not-found": "/machines/00000000-0000-4000-8000-000000000000",
}
OF_A_MACHINE = {
    "machine": "/machines/{vm}",
    "machine-volumes": "/machines/{vm}/volumes",
    "machine-network": "/machines/{vm}/network",
    "machine-events": "/machines/{vm}/events",
    "machine-destroy": "/do/destroyVirtualMachine?id={vm}",
    "machine-edit": "/do/updateVirtualMachine?id={vm}",
    "machine-offering": "/do/changeServiceForVirtualMachine?id={stopped}",
    "machine-forward": "/do/createPortForwardingRule?virtualmachineid={vm}",
    "machine-card": "/do/addNicToVirtualMachine?virtualmachineid={vm}",
    "volume": "/volumes/{volume}",
    "volume-attach": "/do/attachVolume?id={loose}",
    "volume-loose": "/volumes/{loose}",
    "network": "/networks/{network}",
    "network-rules": "/networks/{network}/rules",
    "network-addresses": "/networks/{network}/addresses",
    "network-machines": "/networks/{network}/machines",
    "network-delete": "/do/deleteNetwork?id={network}",
}
WAYS = [(size, theme) for size in ("wide", "narrow") for theme in ("light", "dark")]


@pytest.fixture(scope="module")
def ids(api):
    """Rows of the demo's tenant that pages are about; a volume that is attached to nothing is made."""
    machines = api.listVirtualMachines(listall=True)["virtualmachine"]
    named = {each["name"]: each["id"] for each in machines}
    networks = api.listNetworks()["network"]
    volumes = api.listVolumes(listall=True)["volume"]
    loose = [
        volume["id"] for volume in volumes if not volume.get("virtualmachineid") and volume["state"] == "Allocated"
    ]
    if not loose:
        zone = next(zone["id"] for zone in api.listZones()["zone"] if zone["networktype"] == "Advanced")
        loose = [api.createVolume(name="data", size=5, zoneid=zone, fetch_result=True)["volume"]["id"]]
    return {
        "vm": named["lab-advanced-1"],
        "stopped": named["lab-advanced-2"],
        "network": next(n["id"] for n in networks if n["type"] == "Isolated"),
        "volume": next(v["id"] for v in volumes if v.get("virtualmachineid") == named["lab-advanced-1"]),
        "loose": loose[0],
    }


def look_at(someone, name, path):
    answer = someone.go(path)
    someone.page.wait_for_timeout(150)
    someone.shot(name)
    wrong = [] if answer.status in (200, 404) else [f"status {answer.status}"]
    if someone.too_wide() > 0:
        wrong.append(f"{someone.too_wide()} px too wide")
    wrong += [f"cut: {text}" for text in someone.cut()]
    return wrong + someone.violations()


@pytest.mark.parametrize(("size", "theme"), WAYS, ids=lambda v: v)
def test_every_page_is_accessible_and_fits(person, ids, size, theme):
    someone = person(size=size, theme=theme)
    found = {}
    if wrong := look_at(someone, "login", "/login"):
        found["login"] = wrong
    someone.log_in()

    for name, path in (PLAIN | OF_A_MACHINE).items():
        if wrong := look_at(someone, name, path.format(**ids)):
            found[name] = wrong

    assert found == {}


@pytest.mark.parametrize(("size", "theme"), WAYS, ids=lambda v: v)
def test_every_step_of_the_wizard_is_accessible_and_fits(person, size, theme):
    from tests.browser.test_first_machine import choose

    someone = person(size=size, theme=theme).log_in()
    page, found = someone.page, {}
    someone.go("/machines/new")
    if "Discard" in someone.text():
        someone.press("Discard")
        someone.go("/machines/new")
    steps = [
        lambda: choose(page, "Demo Advanced"),
        lambda: page.locator(".pick input").first.check(),
        lambda: page.locator("tr", has_text="Small Instance").locator("input").check(),
        lambda: choose(page, "No data disk"),
        lambda: page.locator("tr", has_text="web").locator("input[type=checkbox]").check(),
    ]
    for number in range(1, 7):
        page.wait_for_timeout(300)
        someone.shot(f"wizard-{number}")
        wrong = someone.violations() + [f"cut: {text}" for text in someone.cut()]
        wrong += [f"{someone.too_wide()} px too wide"] if someone.too_wide() > 0 else []
        if wrong:
            found[number] = wrong
        if number < 6:
            steps[number - 1]()
            page.locator("main [data-send]").click()
            page.wait_for_load_state()

    assert found == {}


def test_every_page_is_light(person, ids):
    someone = person().log_in()
    sizes = {}

    for name, path in (PLAIN | OF_A_MACHINE).items():
        client = someone.context.new_cdp_session(someone.page)
        client.send("Network.enable")
        client.send("Network.setCacheDisabled", {"cacheDisabled": True})
        got = []
        client.on("Network.loadingFinished", lambda event, got=got: got.append(event["encodedDataLength"]))
        someone.go(path.format(**ids))
        someone.page.wait_for_timeout(200)
        sizes[name] = (int(sum(got)), len(someone.asked))
        client.detach()

    too_much = {name: value for name, value in sizes.items() if value[0] >= HEAVY or value[1] >= MANY}
    heaviest = max(sizes.items(), key=lambda pair: pair[1])
    print(f"heaviest page: {heaviest}")  # noqa: T201 - a figure for the report
    assert too_much == {}
