"""Agents on the hosts of the lab, and a manager that they report to."""

import base64
import json
import os
import signal
import subprocess
import time
import uuid
from contextlib import suppress
from pathlib import Path

from agent.build import build
from agent.net.layout import Layout, Segment
from apps.hypervisors.agent_client import Credentials
from apps.hypervisors.base import HostAddress
from apps.hypervisors.errors import Busy
from apps.hypervisors.libvirt import connector
from tests.agent.manager import FakeManager
from tests.lab.tools.hosts import Lab, until

PORT = 8250
KEEP, LOOK = 30, 10  # seconds that a bridge stays unused, and between looks: short, for tests wait for both
PATIENCE = 60.0  # seconds more for what runs in a guest that has one part of a busy machine
LAYOUT = {
    "physical": {"guest": {"device": "eth2", "isolation": "vxlan"}, "public": {"device": "eth1"}},
    "guest": "guest",
    "public": "public",
}


class AgentHost:
    """A host with its agent, from outside."""

    def __init__(self, lab: Lab, name: str, manager: FakeManager, program: Path):
        self.lab, self.name, self.manager, self.program = lab, name, manager, program
        self.state = lab.directory / name / "agent"
        self.logfile = lab.directory / name / "log" / "agent.log"
        self.uuid = (lab.directory / name / "uuid").read_text()
        self.address = HostAddress(int(name[1:]), name, f"http://{lab.address(name)}:{PORT}", self.uuid)
        self._process: subprocess.Popen | None = None

    def enrol(self) -> None:
        words = ("/usr/bin/python3", self.program, "--state", self.state, "enrol", self.manager.url)
        token = self.manager.token(self.uuid)
        self.lab.exec(self.name, *words, input=f"{token}\n")

    def start(self) -> None:
        self.launch()
        until(self.serves, 30, f"the agent of {self.name} does not serve, see {self.logfile}")
        self.driver().networks.describe(LAYOUT, within=10)

    def launch(self) -> None:
        words = ("--state", self.state, "run", "--listen", self.lab.address(self.name), "--port", PORT)
        pace = ("--keep", KEEP, "--look", LOOK)
        command = self.lab.command(self.name, "/usr/bin/python3", self.program, *words, *pace)
        with self.logfile.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def serves(self) -> bool:
        try:
            self.driver().host.facts(within=2)
        except Busy:
            return False
        return True

    def driver(self, manager: FakeManager | None = None, url: str = ""):
        chosen = manager or self.manager
        connect = connector(Credentials(chosen.authority_file, chosen.pair), lambda: "test")
        address = HostAddress(self.address.key, self.name, url or self.address.url, self.uuid)
        return connect(address)

    @property
    def pid(self) -> int:
        """Of the agent itself, as this machine sees it: the one that has no child which is the agent too."""
        pid = self._process.pid
        while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            inner = [child for child in children if b"agent" in Path(f"/proc/{child}/cmdline").read_bytes()]
            if not inner or b"fetch" in Path(f"/proc/{inner[0]}/cmdline").read_bytes().split(b"\0"):
                break
            pid = int(inner[0])
        return pid

    def kill(self, number: int = signal.SIGKILL) -> None:
        with suppress(ProcessLookupError, FileNotFoundError):  # it has ended by itself
            os.kill(self.pid, number)
        self._process.wait(20)

    def restart(self, number: int = signal.SIGKILL) -> None:
        self.kill(number)
        self.start()

    def again(self) -> None:
        """The same for one whose manager is the product."""
        self.kill()
        self.launch()

    def memory_kib(self) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

    def log(self) -> list[dict]:
        return [json.loads(line) for line in self.logfile.read_text().splitlines() if line.startswith("{")]

    def virsh(self, *words: object) -> str:
        socket = self.lab.directory / self.name / "run/libvirt/libvirt-sock"
        command = ["virsh", "-q", "-c", f"qemu+unix:///system?socket={socket}", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def links(self) -> set[str]:
        rows = json.loads(self.lab.exec(self.name, "ip", "-j", "link", "show").stdout)
        return {row["ifname"] for row in rows}

    @staticmethod
    def segment(text: str) -> Segment:
        return Layout.read(LAYOUT).guest_segment(text)

    @staticmethod
    def public_segment(text: str) -> Segment:
        return Layout.read(LAYOUT).public_segment(text)

    def domains(self) -> list[str]:
        return sorted(self.virsh("list", "--all", "--uuid").split())

    def guest(self, vm: str, script: str, seconds: float = 30) -> str:
        """Run a script in the guest, through its agent."""
        end = time.monotonic() + seconds + PATIENCE
        order = {"path": "/bin/sh", "arg": ["-c", script], "capture-output": True}
        pid = self._guest_agent(vm, "guest-exec", order, end)["pid"]
        while True:
            status = self._guest_agent(vm, "guest-exec-status", {"pid": pid}, end)
            if status["exited"]:
                return "".join(base64.b64decode(status.get(k, "")).decode() for k in ("out-data", "err-data"))
            if time.monotonic() > end:
                raise RuntimeError(f"in the guest {vm} this does not end: {script}")
            time.sleep(0.1)

    def _guest_agent(self, vm: str, verb: str, arguments: dict, end: float) -> dict:
        text = json.dumps({"execute": verb, "arguments": arguments})
        while True:
            try:
                return json.loads(self.virsh("qemu-agent-command", vm, text))["return"]
            except subprocess.CalledProcessError as error:
                if time.monotonic() > end:
                    raise RuntimeError(error.stderr) from error
                time.sleep(0.2)


def new() -> str:
    return str(uuid.uuid4())


def segment_of(network: str) -> str:
    return f"vxlan:{0x100000 + int(network[:5], 16)}"


def program(folder: Path) -> Path:
    return build(folder / "agent.pyz")
