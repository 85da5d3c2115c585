"""A zone of the product on hosts of the lab, made by calls of the API alone."""

import base64
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from types import SimpleNamespace

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from cloudportal import lab as zone
from cloudportal.installation import Installation
from tests.clouds import CODE, Cloud
from tests.lab.agents import PORT, AgentHost
from tests.lab.driver.proxy import Proxy
from tests.lab.product.api import Api
from tests.lab.tools.hosts import until
from tests.lab.tools.image import guest_image

EXPIRED = """
from datetime import timedelta
from pathlib import Path
from django.utils import timezone
from apps.agents.services import authority
from apps.core import secret
from tests.agent.authority import HOST, Authority

own, signer = authority.current(), Authority()
signer.key = authority.serialization.load_pem_private_key(secret.unseal(own.key).encode(), None)
signer.certificate = authority.x509.load_pem_x509_certificate(own.certificate.encode())
signer.name, end = signer.certificate.subject, timezone.now() - timedelta(minutes=1)
signer.write_pair(Path({pair!r}), {host!r}, HOST, begin=end - timedelta(days=1), end=end)
"""
OFFERING = "DefaultIsolatedNetworkOfferingWithSourceNatService"


class Site:
    def __init__(self, lab):
        self.lab, self.srv = lab, lab.directory / "srv"
        self.cloud = Cloud(lab.directory / "cloud")
        self.hosts, self.wires = {}, {}

    # -- the product

    def up(self):
        self.cloud.environment = {"KVM_SSH_PORT": "2222"}
        self.start()
        said = self.cloud.told()
        root = said["users"][0]
        self.root = Api(said["api"], root["apikey"], root["secretkey"])
        source = self.srv / "source"
        source.mkdir(exist_ok=True)
        shutil.copy(guest_image(), source / "tiny.qcow2")
        zone.allow(self.root, source / "tiny.qcow2")

    def start(self):
        self.cloud.up("--no-demo", "--agents", str(self.lab.ranges.management[1]), patience=180)

    def down(self):
        try:
            for host in self.hosts.values():
                host.kill()
        finally:
            self.cloud.down(patience=60)

    def again(self):
        """The product is killed, all of it at once, and comes back. Nobody is alive who could still act, so what waits
        for the end of the leases of the dead need not wait.
        """
        for pid in (self.cloud.process.pid, *(pid for pids in self.cloud.tree().values() for pid in pids)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.cloud.process.communicate(timeout=60)
        self.cloud.endpoint.unlink(missing_ok=True)
        self.judged("--hurry")
        self.start()

    def judged(self, *words):
        """What chaos knows to do and to find in the database of a cloud."""
        settings = {"DJANGO_SETTINGS_MODULE": "cloudportal.settings", "PYTHONPATH": str(CODE)}
        ours = {**Installation(self.cloud.folder).environment(), **self.cloud.environment}
        done = subprocess.run(
            [sys.executable, "-m", "tests.chaos.verdict", *words],
            env=os.environ | ours | settings,
            capture_output=True,
            text=True,
        )
        assert not done.stderr, done.stderr[-2000:]
        return done.stdout

    def token(self):
        done = subprocess.run(
            [sys.executable, "-m", "cloudportal.manage", "--data", self.cloud.folder, "agent_token"],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    @property
    def agents_url(self):
        return f"https://{self.lab.ranges.management[1]}:8251"

    # -- the zone

    def build(self):
        self.zone, self.place = zone.network(self.root)

    def join(self, name, program):
        """An agent that was installed by hand, and its host by its token, at the end of a wire that can be cut."""
        host = AgentHost(self.lab, name, SimpleNamespace(url=self.agents_url, token=None), program)
        token = self.token()
        said = self.lab.exec(
            name, "/usr/bin/python3", program, "--state", host.state, "enrol", self.agents_url, input=f"{token}\n"
        )
        host.uuid = said.stdout.strip()
        host.launch()
        self.hosts[name] = host
        wire = self.wires[name] = Proxy((self.lab.address(name), PORT), str(self.lab.ranges.management[1]))
        return self.root.call("addHost", url=wire.url, username="token", password=token, **self.place)["host"][0]

    def store(self):
        root = self.root
        zone.storage(root, self.place, self.lab.directory, "product")
        self.template = zone.template(root, self.zone, self.srv / "source" / "tiny.qcow2")
        self.offering = zone.offering(root)
        root.call("updateZone", id=self.zone, allocationstate="Enabled")

    def on(self, vm):
        """The host that a machine runs on, as an operator knows it."""
        row = self.root.list("listVirtualMachines", "virtualmachine", id=vm["id"])[0]
        return next(host for host in self.hosts.values() if host.uuid == row["hostid"])

    def refusals(self):
        """What the product wrote down of those whom it turned away."""
        lines = map(json.loads, (self.cloud.folder / "log" / "agents.log").read_text().splitlines())
        return [line["text"] for line in lines if line["text"].startswith("refused: ")]

    def enrolled_token(self):
        """A token with which a host has enrolled that nobody has added."""
        token, folder = self.token(), self.lab.directory / "enrolled"
        words = [sys.executable, "-m", "agent", "--state", folder, "enrol", self.agents_url]
        subprocess.run(words, input=f"{token}\n", text=True, check=True, capture_output=True, cwd=CODE)
        return token

    def expired_pair(self, host):
        """Key and certificate of a host, signed by the product's authority, and good until a minute ago."""
        pair = self.lab.directory / "expired.pem"
        words = [sys.executable, "-m", "cloudportal.manage", "--data", self.cloud.folder, "shell", "-c"]
        script = EXPIRED.format(pair=str(pair), host=host)
        environment = os.environ | {"PYTHONPATH": str(CODE)}
        subprocess.run([*words, script], check=True, capture_output=True, cwd=CODE, env=environment)
        return pair

    def rows(self, query, *values):
        """What stands in the database, where no command tells."""
        with sqlite3.connect(f"file:{self.cloud.folder}/cloud.sqlite3?mode=ro", uri=True) as database:
            return database.execute(query, values).fetchall()

    def usage(self, uuid):
        """Kinds of the usage events of a machine, in their order."""
        query = (
            "select kind from events_usageevent where row_kind = 'machines.virtualmachine' and row_id ="
            " (select id from machines_virtualmachine where uuid = ?) order by id"
        )
        return [kind for (kind,) in self.rows(query, uuid.replace("-", ""))]

    @staticmethod
    def decrypted(text, private):
        key = serialization.load_pem_private_key(private.encode(), None)
        return key.decrypt(base64.b64decode(text), PKCS1v15()).decode()

    @staticmethod
    def public_of(private):
        done = subprocess.run(["ssh-keygen", "-y", "-f", "/dev/stdin"], input=private, capture_output=True, text=True)
        return done.stdout.split()[:2]

    # -- tenants

    def tenant(self, name):
        person = {"firstname": name, "lastname": "Lab", "email": f"{name}@example.com", "username": name}
        account = self.root.call("createAccount", accounttype=0, account=name, password="password", **person)["account"]
        keys = self.root.call("registerUserKeys", id=account["user"][0]["id"])["userkeys"]
        return Tenant(self, name, Api(self.root.url, keys["apikey"], keys["secretkey"]))


class Tenant:
    def __init__(self, site, name, api):
        self.site, self.name, self.api = site, name, api

    def network(self, name="web"):
        offering = self.api.list("listNetworkOfferings", "networkoffering", name=OFFERING)[0]["id"]
        given = {"name": name, "displaytext": name, "networkofferingid": offering, "zoneid": self.site.zone}
        return self.api.call("createNetwork", **given)["network"]["id"]

    def deploy(self, network, within=120, **given):
        site = self.site
        what = {"zoneid": site.zone, "templateid": site.template, "serviceofferingid": site.offering, **given}
        return self.api.call("deployVirtualMachine", within=within, networkids=network, **what)["virtualmachine"]

    def source_nat(self, network):
        rows = self.api.list(
            "listPublicIpAddresses", "publicipaddress", associatednetworkid=network, issourcenat="true"
        )
        return rows[0]

    def forward(self, address, vm, public, private):
        ports = {"publicport": public, "privateport": private, "protocol": "tcp"}
        self.api.call("createPortForwardingRule", ipaddressid=address["id"], virtualmachineid=vm["id"], **ports)


def http(lab, url, seconds=240.0, every=0.1):
    """What a client on the internet of the lab reads, once there is somebody who answers."""
    end = time.monotonic() + seconds
    while True:
        done = subprocess.run(
            ["ip", "netns", "exec", lab.inet, "curl", "-s", "-m", "3", "--connect-timeout", "0.5", url],
            capture_output=True,
            text=True,
        )
        if done.returncode == 0 and done.stdout:
            return done.stdout
        if time.monotonic() > end:
            raise AssertionError(f"{url} does not answer: curl ends with {done.returncode}")
        time.sleep(every)


def named(lab, url, name, seconds=240.0):
    """Wait until the machine there says that this is its name: it answers before it has heard what it is called."""
    until(lambda: http(lab, f"{url}/cgi-bin/hostname", seconds).strip() == name, seconds, f"{url} is not {name}")


def reached(lab, url, source="198.51.100.1"):
    """Once, now, by a client at this address: does anybody answer?"""
    words = [
        "ip",
        "netns",
        "exec",
        lab.inet,
        "curl",
        "-s",
        "-m",
        "2",
        "--connect-timeout",
        "1",
        "--interface",
        source,
        url,
    ]
    return subprocess.run(words, capture_output=True).returncode == 0
