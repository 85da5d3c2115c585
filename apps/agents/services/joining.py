"""How a host becomes one of ours, for ``addHost``: the agent is installed by SSH, or is there already and enrolled.

Nothing is left of an attempt that fails: what was installed is removed again, the certificate taken back.
"""

import importlib
import json
import os
import socket
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from apps.agents.driver import connect
from apps.agents.models import Certificate
from apps.agents.services import enrolment, layouts, ssh
from apps.core.errors import CloudError, InvalidParameter, ResourceUnavailable
from apps.hypervisors.agent_client import endpoint
from apps.hypervisors.base import HostAddress, HostFacts
from apps.hypervisors.errors import Busy, DriverError
from apps.infrastructure.drivers import Joined
from apps.infrastructure.models import Host, Zone

BY_TOKEN = "token"  # noqa: S105 - the name of the user whose password is a token
SSH_PORT = 22
PROGRAM = "/usr/local/lib/cloudportal/agent.pyz"
STATE = "/var/lib/cloudportal-agent"
PYTHON = "/usr/bin/python3"  # the distribution's, which knows its libvirt
UNIT = "/etc/systemd/system/cloudportal-agent.service"
COMES_UP, ANSWERS = 60.0, 10.0  # seconds
UNIT_TEXT = """[Unit]
Description=cloudportal host agent
After=network-online.target libvirtd.service
Wants=network-online.target

[Service]
ExecStart=/usr/bin/python3 {program} --state {state} run --listen {address} --port {port}
Restart=always
RestartSec=2
KillMode=process

[Install]
WantedBy=multi-user.target
"""
# With systemd a unit; else a process that is started again when it ends, until its file is gone.
START = """set -eu
if [ -d /run/systemd/system ]; then
    cat >"$1"
    systemctl daemon-reload
    systemctl enable cloudportal-agent >/dev/null 2>&1
    systemctl restart cloudportal-agent
else
    again='while [ -e "$0" ]; do /usr/bin/python3 "$0" --state "$1" run --listen "$2" --port "$3"; sleep 2; done'
    setsid sh -c "$again" "$2" "$3" "$4" "$5" </dev/null >>"$3/agent.log" 2>&1 &
fi
"""
REMOVE = """rm -f "$2"
if [ -e "$1" ]; then
    systemctl disable --now cloudportal-agent >/dev/null 2>&1
    rm -f "$1"
    systemctl daemon-reload
fi
for pid in $(pgrep -f -- "agent.serve $3 " || true); do kill "$pid" 2>/dev/null || true; done
rm -rf "$3" "$3-networks"
"""


def join(*, zone: Zone, url: str, username: str = "", password: str = "") -> Joined:
    """Which host it is and how large; it knows its physical networks then. Outside any transaction."""
    layout = layouts.of_zone(zone)
    _check_new(url)
    if not username or not password:
        raise InvalidParameter("username, password: those of root for SSH, or the user token and a token as password")
    if username == BY_TOKEN:
        return _taken(url, layout, password)
    return _installed(url, layout, username, password)


def _check_new(url: str) -> None:
    place = _endpoint(url)
    urls = Host.all_tenants.filter(hypervisor="KVM").values_list("url", flat=True)
    if any(endpoint(each) == place for each in urls.filter(url__contains=place[0])):
        raise InvalidParameter(f"url: the host at {place[0]} was added already")


def _endpoint(url: str) -> tuple[str, int]:
    try:
        return endpoint(url)
    except DriverError as error:
        raise InvalidParameter(f"url: {error}") from error


def _taken(url: str, layout: dict[str, object], token: str) -> Joined:
    row = enrolment.of_token(token)
    if row is None:
        raise InvalidParameter("password: no host has enrolled with this token, or it has expired")
    return _ready(url, str(row.host), layout, patience=ANSWERS)


def _ready(url: str, host: str, layout: dict[str, object], patience: float) -> Joined:
    driver, until = connect(HostAddress(0, url, url, host)), time.monotonic() + patience
    while True:
        try:
            facts: HostFacts = driver.host.facts(within=ANSWERS)
            driver.networks.describe(layout, within=ANSWERS)
            return Joined(host, facts)
        except Busy as error:
            if time.monotonic() > until:
                raise ResourceUnavailable(f"url: the agent at {url} does not answer: {error}") from error
            time.sleep(0.2)
        except DriverError as error:
            raise ResourceUnavailable(f"url: the agent at {url}: {error}") from error


def _installed(url: str, layout: dict[str, object], username: str, password: str) -> Joined:
    name, port = _endpoint(url)
    address = _address_of(name)
    manager = _manager_url()
    login = ssh.Login(address, int(os.environ.get("KVM_SSH_PORT", SSH_PORT)), username, password)
    with ssh.shell(login) as shell:
        _check_fit(shell, name)
        host, token = enrolment.invite()
        try:
            _install(shell, manager, token, address, port)
            return _ready(url, host, layout, COMES_UP)
        except (CloudError, DriverError):
            _remove(shell)
            enrolment.give_up(host)
            raise


def _address_of(name: str) -> str:
    try:
        return str(socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
    except OSError:
        raise InvalidParameter(f"url: the name {name} is not known here") from None


def _manager_url() -> str:
    url = os.environ.get("AGENTS_URL", "")
    if not urlsplit(url).hostname:
        raise ResourceUnavailable("url: this server does not listen for agents; see docs/install-kvm.md")
    return url


def _check_fit(shell: ssh.Shell, name: str) -> None:
    """Before anything is left there: another cloud's host, or one that lacks something, stays as it is."""
    there = shell.run("sh", "-c", 'cat "$0/enrolled.json" 2>/dev/null; true', STATE).strip()
    if there:
        if not _was_ours(there):
            raise InvalidParameter(f"url: host {name} is one of a cloud already: remove {STATE} there first")
        _remove(shell)
    python = shell.run("sh", "-c", 'test -x "$0" && echo there; true', PYTHON)
    if not python.strip():
        raise InvalidParameter(f"url: host {name} lacks {PYTHON}")
    found = shell.run("sh", "-c", 'p=$(mktemp); cat >"$p"; "$0" "$p" check; rm -f "$p"', PYTHON, data=_program())
    try:
        missing = json.loads(found.strip().splitlines()[-1])["missing"]
    except (ValueError, LookupError, TypeError):
        raise ResourceUnavailable(f"url: the agent does not run on host {name}: {found[-200:]}") from None
    if missing:
        raise InvalidParameter(f"url: host {name} lacks {', '.join(missing)}")


def _was_ours(enrolled: str) -> bool:
    """And is no more: it was deleted here, and nobody has told it."""
    try:
        host = str(json.loads(enrolled)["host"])
    except (ValueError, LookupError, TypeError):
        return False
    known = Certificate.objects.filter(role=Certificate.Role.HOST, bearer=host).exists()
    return known and not Host.all_tenants.filter(uuid=host).exists()


def _remove(shell: ssh.Shell) -> None:
    shell.run("sh", "-c", REMOVE, "remove", UNIT, PROGRAM, STATE, check=False)


def _install(shell: ssh.Shell, manager: str, token: str, address: str, port: int) -> None:
    folder = PROGRAM.rpartition("/")[0]
    place = 'mkdir -p "$1" && cat >"$2.new" && chmod 755 "$2.new" && mv "$2.new" "$2"'
    shell.run("sh", "-c", place, "place", folder, PROGRAM, data=_program())
    shell.run(PYTHON, PROGRAM, "--state", STATE, "enrol", manager, data=f"{token}\n".encode())
    unit = UNIT_TEXT.format(program=PROGRAM, state=STATE, address=address, port=port)
    shell.run("sh", "-c", START, "start", UNIT, PROGRAM, STATE, address, str(port), data=unit.encode())


def _program() -> bytes:
    """The agent as one file, of the sources beside us."""
    build = importlib.import_module("agent.build")
    with tempfile.TemporaryDirectory() as folder:
        return bytes(build.build(Path(folder) / "agent.pyz").read_bytes())
