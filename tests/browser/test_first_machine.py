"""The six steps to a running machine, with and without a script."""

import re
import uuid

import pytest


def fresh(prefix="t"):
    return f"{prefix}-{uuid.uuid4().hex[:6]}"


def choose(page, text):
    page.locator(".pick", has_text=text).first.locator("input").check()


def walk(someone, name, *, ssh=True):
    page = someone.page
    someone.go("/machines/new")
    if "Discard" in someone.text():
        someone.press("Discard")
        someone.go("/machines/new")
    choose(page, "Demo Advanced")
    someone.press("Next: Template or ISO")
    page.locator(".pick input").first.check()
    someone.press("Next: Compute offering")
    page.locator("tr", has_text="Small Instance").locator("input").check()
    someone.press("Next: Data disk")
    choose(page, "No data disk")
    someone.press("Next: Network")
    page.locator("tr", has_text="web").locator("input[type=checkbox]").check()
    if ssh:
        page.locator("input[name=ssh]").check()
    someone.press("Next: Name and launch")
    page.fill("#f-name", name)
    page.locator("button[name=launch]").click()
    page.wait_for_url(re.compile("/launch"))


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_six_steps_to_a_running_machine_that_says_how_to_reach_it(person, script):
    someone, name = person(script=script).log_in(), fresh()

    walk(someone, name)

    if script:
        someone.page.wait_for_selector("text=Launched in", timeout=60_000)
    else:
        for _ in range(30):  # the page reloads itself: a browser without a script does it by the meta element
            someone.page.wait_for_timeout(1000)
            someone.page.reload()
            if "Launched in" in someone.text():
                break
    said = someone.text()
    assert "Running" in said
    assert "Inside\n10.1.1." in said
    someone.page.click("text=Open the machine")
    someone.page.wait_for_load_state()
    assert someone.page.inner_text("h1") == name
    for _ in range(20):
        if "root@" in someone.text("section[aria-labelledby=reach]"):
            break
        someone.page.wait_for_timeout(1000)
        someone.page.reload()
    assert re.search(r"ssh (-p \d+ )?root@192\.168\.", someone.text("section[aria-labelledby=reach]"))
    assert "127.0.0.1/32" in someone.text("section[aria-labelledby=reach]")


def test_the_summary_follows_what_is_chosen_before_it_is_sent(person):
    someone = person().log_in()
    someone.go("/machines/new")
    if "Discard" in someone.text():
        someone.press("Discard")
        someone.go("/machines/new")

    choose(someone.page, "Demo Advanced")

    someone.page.wait_for_selector("#summary dd:has-text('Demo Advanced')")
    someone.go("/machines/new")
    assert "Demo Advanced" not in someone.text("#summary")


def test_a_draft_is_kept_and_found_again(person):
    someone = person().log_in()
    someone.go("/machines/new")
    if "Discard" in someone.text():
        someone.press("Discard")
        someone.go("/machines/new")
    choose(someone.page, "Demo Advanced")
    someone.press("Next: Template or ISO")

    again = person().log_in()
    again.go("/machines/new")

    assert again.path == "/machines/new/2"
    assert "Demo Advanced" in again.text("#summary")


def test_a_name_that_cannot_be_is_said_with_one_that_can(person):
    someone = person().log_in()
    someone.page.add_init_script("")
    walk_to_name(someone)
    someone.page.fill("#f-name", "Web 04!")
    someone.page.locator("button[name=launch]").click()
    someone.page.wait_for_load_state()

    assert "Suggestion: web-04" in someone.text("form#form")
    assert someone.page.input_value("#f-name") == "Web 04!"
    assert someone.path == "/machines/new/6"


def walk_to_name(someone):
    page = someone.page
    someone.go("/machines/new")
    if "Discard" in someone.text():
        someone.press("Discard")
        someone.go("/machines/new")
    choose(page, "Demo Advanced")
    someone.press("Next: Template or ISO")
    page.locator(".pick input").first.check()
    someone.press("Next: Compute offering")
    page.locator("tr", has_text="Small Instance").locator("input").check()
    someone.press("Next: Data disk")
    someone.press("Next: Network")
    someone.press("Next: Name and launch")


def test_a_rehearsal_says_whether_there_is_room(person):
    someone = person().log_in()

    walk_to_name(someone)

    someone.page.wait_for_selector("#plan:has-text('Fits: there is room in Demo Advanced')", timeout=20_000)
    assert "cs deployVirtualMachine" in someone.text("aside")


def test_a_rehearsal_tells_administrators_why_there_is_no_room(person, root_api):
    given = {"displaytext": "for cards", "cpunumber": 1, "cpuspeed": 500, "memory": 512, "hosttags": "nosuch"}
    offering = root_api.createServiceOffering(name=fresh("gpu"), **given)["serviceoffering"]
    someone = person().log_in("admin", "ROOT")
    page = someone.page
    someone.go("/machines/new")
    choose(page, "Demo Advanced")
    someone.press("Next: Template or ISO")
    page.locator(".pick input").first.check()
    someone.press("Next: Compute offering")
    page.locator("tr", has_text=offering["name"]).locator("input").check()
    someone.press("Next: Data disk")
    someone.press("Next: Network")
    someone.press("Next: Name and launch")

    page.wait_for_selector("#plan:has-text('fell out: without host tags nosuch')", timeout=20_000)

    assert "There is no room in Demo Advanced now" in someone.text("#plan")
    assert (someone.too_wide(), someone.violations()) == (0, [])
    root_api.deleteServiceOffering(id=offering["id"])
