"""Real machines on a lab of its own (root): deploy to HTTP against the bare image's boot, router, disks, memory.

./portal bench lab
"""

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.agents import program
from tests.lab.product.site import Site, Tenant, http
from tests.lab.tools.hosts import Lab
from tests.lab.tools.image import guest_image

PREFIX = "bench"
PATIENCE = 300.0


def main() -> int:
    lab = Lab(PREFIX)
    lab.down()
    lab.up(2)
    site = Site(lab)
    try:
        site.up()
        site.build()
        built = program(lab.directory)
        for name in ("h1", "h2"):
            site.join(name, built)
        site.store()
        measure(site)
    finally:
        site.down()
        lab.down()
    return 0


def measure(site: Site) -> None:
    bare = timed(boot_bare)
    say("bare image: start -> HTTP", bare)
    tenant = site.tenant("bench")
    tenant.net = tenant.network()
    deployed = timed(lambda: deploy(site, tenant))
    say("deployVirtualMachine -> HTTP", deployed)
    say("  more than the bare image", deployed - bare)
    say("restartNetwork with cleanup", timed(lambda: tenant.api.call("restartNetwork", id=tenant.net, cleanup="true")))
    one = {"name": "one", "displaytext": "one", "disksize": 1}
    offering = site.root.call("createDiskOffering", **one)["diskoffering"]["id"]
    given = {"name": "data", "diskofferingid": offering, "zoneid": site.zone}
    volume = tenant.api.call("createVolume", **given)["volume"]["id"]
    attach = {"id": volume, "virtualmachineid": tenant.vm["id"]}
    say("attachVolume, with making the disk", timed(lambda: tenant.api.call("attachVolume", **attach)))
    say("detachVolume", timed(lambda: tenant.api.call("detachVolume", id=volume)))
    say("attachVolume", timed(lambda: tenant.api.call("attachVolume", **attach)))
    restore = {"virtualmachineid": tenant.vm["id"]}
    say(
        "restoreVirtualMachine, with stop and start", timed(lambda: tenant.api.call("restoreVirtualMachine", **restore))
    )
    for host in site.hosts.values():
        print(f"{f'agent of {host.name}':44}{host.memory_kib() / 1024:8.1f} MiB")


def deploy(site: Site, tenant: Tenant) -> None:
    tenant.vm = tenant.deploy(tenant.net, name="bench-1")
    tenant.address = tenant.source_nat(tenant.net)
    tenant.forward(tenant.address, tenant.vm, 8080, 80)
    http(site.lab, f"http://{tenant.address['ipaddress']}:8080/", PATIENCE, every=0.05)


def boot_bare() -> None:
    with overlay() as disk, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        net = ["-netdev", f"user,id=n,hostfwd=tcp:127.0.0.1:{port}-:80", "-device", "virtio-net-pci,netdev=n"]
        size = ["-M", "pc", "-cpu", "Nehalem", "-m", "96", "-display", "none"]
        words = ["qemu-system-x86_64", *size, "-drive", f"file={disk},if=virtio", *net]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL)  # noqa: S603 - our own words
        try:
            wait_for(port)
        finally:
            process.kill()
            process.wait()


@contextmanager
def overlay() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # noqa: S108 - a real disk
        disk = Path(folder) / "disk.qcow2"
        words = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(guest_image()), str(disk)]
        subprocess.run(words, check=True)  # noqa: S603 - our own words
        yield disk


def wait_for(port: int) -> None:
    words = ["curl", "-s", "-m", "1", f"http://127.0.0.1:{port}/"]  # a try that came too early must not wait long
    end = time.monotonic() + PATIENCE
    while not subprocess.run(words, capture_output=True).stdout:  # noqa: S603 - our own words
        if time.monotonic() > end:
            raise TimeoutError("the bare image does not answer")
        time.sleep(0.05)


def timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def say(what: str, seconds: float) -> None:
    print(f"{what:44}{seconds:8.2f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
