"""What operators do most: a host in and out of maintenance, an account, a role, a setting; and a tenant's group."""

import pytest

from tests.browser.test_first_machine import fresh


@pytest.fixture
def root(person):
    return person().log_in("admin", "ROOT")


def test_a_host_enters_maintenance_and_comes_back(root, root_api):
    taken = {vm.get("hostid") for vm in root_api.listVirtualMachines(listall=True)["virtualmachine"]}
    taken |= {vm.get("hostid") for vm in root_api.listSystemVms()["systemvm"]}
    taken |= {vm.get("hostid") for vm in root_api.listRouters(listall=True)["router"]}
    host = next(each for each in root_api.listHosts(type="Routing")["host"] if each["id"] not in taken)

    root.go(f"/hosts/{host['id']}")
    assert "No machine of a user has to be stopped" in root.text()
    root.page.locator("[data-primary]").click()
    root.page.wait_for_load_state()
    root.page.locator("[data-send]").first.click()
    root.page.wait_for_selector("text=Succeeded", timeout=60_000)
    root.go(f"/hosts/{host['id']}")
    for _ in range(30):
        if root.page.locator(".head .state", has_text="Maintenance").count():
            break
        root.page.wait_for_timeout(500)
        root.page.reload()
    assert root.page.locator(".head .state").all_inner_texts()[1:] == ["Maintenance"]

    root.press("End maintenance")
    for _ in range(30):
        root.page.wait_for_timeout(500)
        root.go(f"/hosts/{host['id']}")
        if root.page.locator(".head .state").all_inner_texts()[1:] == ["Enabled"]:
            break
    assert root_api.listHosts(id=host["id"])["host"][0]["resourcestate"] == "Enabled"


def test_an_account_is_made_and_its_user_logs_in(root, person, root_api):
    name = fresh("tenant")
    root.go("/domains")
    root.page.locator("main [data-primary]").click()
    root.page.wait_for_load_state()
    role = next(each for each in root_api.listRoles()["role"] if each["name"] == "User")
    root.page.select_option("#f-roleid", role["id"])
    for field, value in {
        "account": name,
        "username": name,
        "password": "password",
        "firstname": "Ada",
        "lastname": "Lovelace",
        "email": "ada@example.com",
    }.items():
        root.page.fill(f"#f-{field}", value)
    root.press("Create the account")

    assert root.page.inner_text("h1") == name
    theirs = person().log_in(name, "ROOT")
    assert theirs.page.inner_text("h1") == name
    assert "No machine yet" in theirs.text()


def test_a_role_is_made_like_another_and_its_rules_are_edited(root):
    name = fresh("role")
    root.go("/do/createRole")
    root.page.fill("#f-name", name)
    root.page.select_option("#f-roleid", label="User")
    root.press("Create the role")
    assert root.page.inner_text("h1") == name

    root.page.fill("input[name=rule]", "destroyVirtualMachine")
    root.page.select_option("select[name=permission]", "deny")
    root.press("Add")
    row = root.page.locator("tbody tr", has_text="destroyVirtualMachine")
    assert "deny" in row.first.inner_text()
    root.page.fill("#test", "destroyVirtualMachine")
    root.press("Ask")

    assert "Denied" in root.text()
    assert "destroyVirtualMachine" in root.text(".note")


def test_a_setting_is_changed_and_given_back(root, root_api):
    name = "expunge.interval"
    before = root_api.listConfigurations(name=name)["configuration"][0]["value"]
    root.go(f"/settings?keyword={name}&open={name}")
    root.page.fill("#value", "4321")
    root.press("Save")
    assert root_api.listConfigurations(name=name)["configuration"][0]["value"] == "4321"
    assert "4321" in root.text(".chain .wins")

    root.press("Back to what it was by itself")

    assert root_api.listConfigurations(name=name)["configuration"][0]["value"] == before


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_rule_of_a_security_group_is_added_and_taken_back(person, api, script):
    group = api.createSecurityGroup(name=fresh("group"))["securitygroup"]
    someone = person(script=script).log_in()
    someone.go(f"/security-groups/{group['id']}")
    box = someone.page.locator("section", has_text="May come in").first
    box.locator("[name=startport]").fill("70000")
    box.get_by_role("button", name="Add").click()
    someone.page.wait_for_load_state()
    assert "70000 is no port: 1 to 65535" in someone.text()

    box.locator("[name=startport]").fill("443")
    box.locator("[name=cidrlist]").fill("192.0.2.0/24")
    box.get_by_role("button", name="Add").click()
    someone.page.wait_for_selector("tr:has-text('443'):has-text('192.0.2.0/24')")  # on the same page, at once
    assert someone.path == f"/security-groups/{group['id']}"
    rules = api.listSecurityGroups(id=group["id"])["securitygroup"][0]["ingressrule"]

    assert [(rule["protocol"], rule["startport"], rule["cidr"]) for rule in rules] == [("tcp", 443, "192.0.2.0/24")]
    someone.page.get_by_role("button", name="Delete the rule tcp 443").click()
    for _ in range(40):
        someone.page.wait_for_timeout(250)
        rules = api.listSecurityGroups(id=group["id"])["securitygroup"][0]["ingressrule"]
        if not rules:
            break
    assert rules == []
