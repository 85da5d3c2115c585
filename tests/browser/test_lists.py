"""Lists, menus, dialogs, keys: with a browser."""

import re
import uuid

import pytest


@pytest.fixture
def machines(api):
    """Three of its own for a test: two run, one is stopped."""
    zone = next(z["id"] for z in api.listZones()["zone"] if z["networktype"] == "Advanced")
    offering = api.listServiceOfferings(name="Small Instance")["serviceoffering"][0]["id"]
    template = api.listTemplates(templatefilter="featured", zoneid=zone)["template"][0]["id"]
    network = next(n["id"] for n in api.listNetworks(zoneid=zone)["network"] if n["type"] == "Isolated")
    word = f"b{uuid.uuid4().hex[:5]}"
    made = []
    for number, start in ((1, True), (2, True), (3, False)):
        given = {"name": f"{word}-{number}", "serviceofferingid": offering, "templateid": template, "zoneid": zone}
        made.append(api.deployVirtualMachine(networkids=network, startvm=start, fetch_result=True, **given))
    yield word, [each["virtualmachine"]["id"] for each in made]
    for each in made:
        api.destroyVirtualMachine(id=each["virtualmachine"]["id"], fetch_result=True)


def test_many_are_stopped_and_the_one_that_cannot_be_has_its_reason(person, machines, api):
    word, ids = machines
    someone = person().log_in()
    someone.go(f"/machines?keyword={word}")
    page = someone.page
    assert not page.locator(".bulk").is_visible()

    page.locator("[data-all]").check()
    assert page.locator("[data-ticked]").inner_text() == "3"
    page.locator(".bulk button", has_text="Stop").click()
    page.wait_for_url(re.compile("/jobs/together/"))
    page.wait_for_selector("text=2 of 3 done", timeout=60_000)

    rows = {row.locator("th").inner_text(): row.inner_text() for row in page.locator("tbody tr").all()}
    assert "It is Stopped" in rows[f"{word}-3"]
    assert "Succeeded" in rows[f"{word}-1"]
    assert "Succeeded" in rows[f"{word}-2"]
    states = {vm["id"]: vm["state"] for vm in api.listVirtualMachines(keyword=word)["virtualmachine"]}
    assert states == dict.fromkeys(ids, "Stopped")


def test_the_same_without_a_script(person, machines):
    word, _ids = machines
    someone = person(script=False).log_in()
    someone.go(f"/machines?keyword={word}")
    page = someone.page

    for tick in page.locator("tbody .ck input").all():
        tick.check()
    page.locator(".bulk button", has_text="Stop").click()
    page.wait_for_load_state()

    assert "/jobs/together/" in page.url
    assert "It is Stopped" in someone.text()


def test_a_machine_is_stopped_from_its_page_and_the_page_follows(person, machines):
    _word, ids = machines
    someone = person().log_in()
    someone.go(f"/machines/{ids[0]}")

    someone.press("Stop")

    assert "Stop" in someone.text("#toasts")
    someone.page.wait_for_selector(".head .state:has-text('Stopped')", timeout=30_000)
    someone.page.get_by_role("button", name="Start").wait_for(timeout=30_000)  # once the job has ended, too


def test_destroying_asks_in_a_dialog_and_wants_the_name(person, machines, api):
    word, ids = machines
    someone = person().log_in()
    someone.go(f"/machines/{ids[2]}")
    page = someone.page
    page.locator(".head details.menu > summary").click()
    page.locator(".head .list a", has_text="Destroy").click()
    page.wait_for_selector("dialog.ask")
    someone.shot("confirm-destroy")
    assert someone.violations() == []
    assert "Root disk" in page.inner_text("dialog")

    page.keyboard.press("Escape")
    assert page.locator("dialog.ask").count() == 0
    page.locator(".head details.menu > summary").click()
    page.locator(".head .list a", has_text="Destroy").click()
    page.wait_for_selector("dialog.ask")
    page.fill("#f-_typed", f"{word}-3")
    page.locator("dialog .btn-danger").click()
    page.wait_for_url(re.compile("/jobs/"))

    page.wait_for_selector("text=Ended after", timeout=30_000)
    found = api.listVirtualMachines(keyword=f"{word}-3").get("virtualmachine", [])
    assert found == []


def test_the_jobs_panel_opens_over_the_page(person, machines):
    _word, ids = machines
    someone = person().log_in()
    someone.go(f"/machines/{ids[1]}")
    someone.press("Stop")

    someone.page.locator("#bell a").click()
    someone.page.wait_for_selector("aside.sheet article")

    assert "Stop" in someone.page.inner_text("aside.sheet")
    someone.shot("jobs-panel")
    assert someone.violations() == []
    someone.page.keyboard.press("Escape")
    assert someone.page.locator("aside.sheet").count() == 0


def test_search_finds_rows_pages_and_commands_as_one_types(person):
    someone = person().log_in()
    someone.go("/")
    page = someone.page

    page.keyboard.press("/")
    page.keyboard.type("lab-advanced")
    page.wait_for_selector("#found a:has-text('lab-advanced-1')")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/machines/"))

    assert page.inner_text("h1").startswith("lab-advanced-")


def test_a_list_is_filtered_as_one_types_and_keeps_its_address(person):
    someone = person().log_in()
    someone.go("/machines")

    someone.page.fill("#keyword", "basic-1")
    someone.page.wait_for_url(re.compile("keyword=basic-1"))

    assert someone.page.locator("tbody tr").count() == 1


def test_keys_lead_around(person):
    someone = person().log_in()
    someone.go("/")
    page = someone.page

    page.keyboard.press("g")
    page.keyboard.press("m")
    page.wait_for_url(re.compile("/machines$"))
    page.keyboard.press("j")
    page.keyboard.press("x")
    assert page.locator("tbody tr").first.locator(".ck input").is_checked()
    page.keyboard.press("c")
    page.wait_for_url(re.compile("/machines/new/"))
    page.keyboard.press("?")
    page.wait_for_url(re.compile("/keys-help"))


def test_columns_that_were_chosen_stay(person):
    someone = person().log_in()
    someone.go("/volumes")
    page = someone.page
    page.locator("summary", has_text="Columns").click()
    page.locator(".list label", has_text="Created").locator("input").uncheck()
    someone.press("Show these")

    assert "Created" not in page.inner_text("thead")
    someone.go("/volumes")
    assert "Created" not in page.inner_text("thead")
    page.locator("summary", has_text="Columns").click()
    page.locator(".list label", has_text="Created").locator("input").check()
    someone.press("Show these")
    assert "Created" in page.inner_text("thead")


def test_csv_comes_as_a_file(person):
    someone = person().log_in()
    someone.go("/machines")

    with someone.page.expect_download() as waiting:
        someone.page.locator("a", has_text="CSV").click()

    text = waiting.value.path().read_text()
    assert waiting.value.suggested_filename == "machines.csv"
    assert text.startswith("id,name,state,")


def test_a_theme_holds_at_once_and_on_the_next_page(person):
    someone = person().log_in()
    someone.go("/")
    page = someone.page
    page.locator("summary[aria-label=Theme]").click()

    with page.expect_response(re.compile("/theme")):
        page.locator("button[data-theme=dark]").click()

    assert page.get_attribute("html", "data-bs-theme") == "dark"
    someone.go("/machines")
    assert page.get_attribute("html", "data-bs-theme") == "dark"


def test_pages_speak_german(person):
    someone = person(language="de").log_in()
    someone.go("/machines")

    assert someone.page.inner_text("h1") == "Maschinen"
    assert someone.page.get_attribute("html", "lang") == "de"


def test_news_of_a_job_come_at_once(person, machines):
    """By the stream, not by asking every few seconds."""
    _word, ids = machines
    someone = person().log_in()
    someone.go(f"/machines/{ids[1]}")
    streams = []
    someone.page.on("response", lambda response: streams.append(response) if response.url.endswith("/live") else None)
    someone.press("Stop")
    someone.page.wait_for_selector(".head .state:has-text('Stopped')", timeout=30_000)

    assert [stream.status for stream in streams[:1]] == [200]


def test_a_tenant_who_types_the_address_of_another_ones_machine_sees_what_nobody_has(person, cloud):
    from cs import CloudStack

    told = cloud.told()
    blue = next(user for user in told["users"] if user["username"] == "blue")
    other = CloudStack(endpoint=told["api"], key=blue["apikey"], secret=blue["secretkey"])
    foreign = other.listVirtualMachines()["virtualmachine"][0]["id"]
    someone = person().log_in()

    seen = someone.go(f"/machines/{foreign}")
    shown = re.sub(r"[0-9a-f-]{36}", "", someone.text())
    missing = someone.go("/machines/00000000-0000-4000-8000-000000000000")

    assert (seen.status, missing.status) == (404, 404)
    assert shown == re.sub(r"[0-9a-f-]{36}", "", someone.text())
