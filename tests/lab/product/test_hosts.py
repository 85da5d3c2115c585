"""How hosts become ours, and who is turned away: by the API, and by what the product and the agents write down."""

import json
import subprocess

import pytest

from tests.lab.product.api import ApiError
from tests.lab.tools.hosts import SSH_PASSWORD, until


@pytest.fixture(scope="module")
def bare(lab):
    """A host that nobody has touched, with SSH."""
    lab.up(5)
    lab.ssh("h5")
    return "h5"


def add(site, name, **given):
    values = {"url": f"http://{site.lab.address(name)}", "username": "root", "password": SSH_PASSWORD, **given}
    return site.root.call("addHost", **values, **site.place)["host"][0]


def answers(site, row):
    try:
        return site.root.call("reconnectHost", id=row["id"])["host"]["state"] == "Up"
    except ApiError:
        return False


def installed(site, name):
    """What there is of an agent."""
    found = site.lab.exec(name, "sh", "-c", "ls -A /usr/local/lib/cloudportal /var/lib/cloudportal-agent*", check=False)
    running = site.lab.exec(name, "pgrep", "-f", "agent.serve", check=False)
    return [line for line in found.stdout.splitlines() if line and not line.endswith(":")] + running.stdout.split()


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        ({"password": "wrong"}, 431, "does not let root in"),
        ({"url": "http://10.99.99.99"}, 534, "cannot be reached by SSH|did not answer"),
        ({"url": "http://no-such-host.invalid"}, 431, "is not known here"),
        ({"username": "token", "password": "a.b"}, 431, "no host has enrolled with this token"),
        ({"username": "", "password": ""}, 431, "username, password"),
    ],
)
def test_a_host_that_cannot_be_had_is_refused_with_the_reason_and_nothing_is_left(site, bare, given, code, text):
    before = site.root.list("listHosts", "host")

    with pytest.raises(ApiError, match=text) as refused:
        add(site, bare, **given)

    assert refused.value.code == code
    assert [row["id"] for row in site.root.list("listHosts", "host")] == [row["id"] for row in before]
    assert installed(site, bare) == []


def test_a_host_without_libvirt_is_told_what_it_lacks(site, bare):
    site.lab.exec(bare, "mount", "--bind", "/dev/null", "/usr/sbin/libvirtd")
    try:
        with pytest.raises(ApiError, match="lacks libvirtd") as refused:
            add(site, bare)
    finally:
        site.lab.exec(bare, "umount", "/usr/sbin/libvirtd")

    assert refused.value.code == 431
    assert installed(site, bare) == []


def test_a_host_is_installed_by_ssh_serves_and_is_taken_back(site, bare):
    row = add(site, bare, allocationstate="Disabled")

    assert (row["state"], row["resourcestate"], row["hypervisor"]) == ("Up", "Disabled", "KVM")
    with pytest.raises(ApiError, match="was added already"):
        add(site, bare)
    pid = installed(site, bare)[-1]
    site.lab.exec(bare, "kill", "-9", pid)
    until(lambda: installed(site, bare)[-1] not in (pid, "agent.log"), 30, "the agent is not started again")
    until(lambda: answers(site, row), 60, "it does not serve")

    site.root.call("deleteHost", id=row["id"])

    turned_away = f"host {row['id']}"
    until(lambda: any(turned_away in line or "was revoked" in line for line in site.refusals()), 60, "no refusal")

    again = add(site, bare, allocationstate="Disabled")

    assert (again["state"], again["id"] != row["id"]) == ("Up", True)
    site.root.call("deleteHost", id=again["id"])


def test_who_has_a_certificate_of_another_authority_is_turned_away_and_noted(site, lab, manager, agent_hosts):
    """The hosts of the other manager know neither our authority nor our hosts."""
    stranger = agent_hosts[0]

    with pytest.raises(ApiError, match="url: the agent at .*is not|turns our certificate away"):
        add(site, "h1", username="token", password=site.enrolled_token())

    until(lambda: any(row.get("event") == "refused" for row in stranger.log()), 20, "the agent does not note it")
    before = len(site.refusals())
    words = ["curl", "-sk", "--cert", stranger.state / "host.pem", "-d", "{}", f"{site.agents_url}/agent/v1/report"]
    done = subprocess.run(list(map(str, words)), capture_output=True)
    assert done.returncode != 0
    until(lambda: len(site.refusals()) > before, 10, "the manager does not note it")


def test_who_comes_with_a_certificate_that_has_expired_is_turned_away_and_noted(site):
    host, before = next(iter(site.hosts.values())), len(site.refusals())
    pair = site.expired_pair(host.uuid)

    done = subprocess.run(["curl", "-sk", "--cert", str(pair), "-d", "{}", f"{site.agents_url}/agent/v1/report"])

    assert done.returncode != 0
    until(lambda: any("expired" in line for line in site.refusals()[before:]), 20, "the manager does not note it")


def test_who_has_no_certificate_may_ask_for_the_authority_only(site):
    url = f"{site.agents_url}/agent/v1"
    said = subprocess.run(["curl", "-sk", f"{url}/ca"], capture_output=True, text=True).stdout
    assert json.loads(said)["ca"].startswith("-----BEGIN CERTIFICATE-----")

    said = subprocess.run(["curl", "-sk", "-d", "{}", f"{url}/report"], capture_output=True, text=True).stdout

    assert json.loads(said) == {"error": "the certificate of nobody is not one of a host"}
