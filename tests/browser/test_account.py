"""Keys that are shown once, key pairs, sessions."""

import uuid


def test_a_key_pair_is_made_and_its_private_half_saved(person, api):
    someone, name = person().log_in(), f"k{uuid.uuid4().hex[:6]}"
    someone.go("/key-pairs")
    page = someone.page
    page.locator("a", has_text="New key pair").first.click()
    page.fill("#f-name", name)
    someone.press("Make the key pair")

    assert "This is shown once" in someone.text()
    assert "PRIVATE KEY" in page.inner_text("pre.once")
    someone.shot("key-pair-once")
    assert someone.violations() == []
    with page.expect_download() as waiting:
        page.locator("[data-save]").click()
    assert "PRIVATE KEY" in waiting.value.path().read_text()
    page.locator("a", has_text="I have it").click()
    page.wait_for_load_state()
    assert name in someone.text()
    assert [pair["name"] for pair in api.listSSHKeyPairs(name=name)["sshkeypair"]] == [name]


def test_a_login_that_fails_keeps_what_was_typed(person):
    someone = person()
    someone.go("/login")
    page = someone.page
    page.fill("#username", "lab")
    page.fill("#password", "wrong")
    page.fill("#domain", "acme/lab")
    page.click("main button")
    page.wait_for_load_state()

    assert "do not fit together" in someone.text()
    assert page.input_value("#username") == "lab"
    assert someone.violations() == []


def test_who_logs_out_is_out(person):
    someone = person().log_in()
    someone.page.locator("summary[aria-label='Account menu of lab']").click()
    someone.press("Log out")

    assert someone.path == "/login"
    someone.go("/machines")
    assert someone.path.startswith("/login?next=")
