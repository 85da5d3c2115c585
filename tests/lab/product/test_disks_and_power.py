"""Disks that move between machines, and what becomes of machines that end by themselves."""

import os
import subprocess
import time

import pytest

from tests.lab.product.site import http, named
from tests.lab.tools.hosts import until

SEEN_WITHIN = 10.0  # seconds for a machine that ended by itself
MARK = "written in the first machine"


@pytest.fixture(scope="module")
def second(alice):
    vm = alice.deploy(alice.net, name="alice-2")
    alice.forward(alice.address, vm, 8082, 80)
    return vm


def state(tenant, vm):
    return tenant.api.list("listVirtualMachines", "virtualmachine", id=vm["id"])[0]["state"]


def in_guest(site, vm, volume, script):
    """What a script says that has ``$disk``: where the guest has mounted the volume, which it finds by its number. The
    guest makes a file system in a disk that is empty.
    """
    look = f"d=$(grep -l {volume.replace('-', '')[:20]} /sys/block/vd*/serial | cut -d/ -f4); disk=/mnt/$d"
    wait = f'until {look}; [ "$d" ] && grep -q " $disk " /proc/mounts; do sleep 0.2; done 2>/dev/null'
    return site.on(vm).guest(vm["id"], f"{wait}; {script}", seconds=60)


def test_a_volume_keeps_its_data_from_one_running_machine_to_another(site, lab, alice, second):
    for number, port in ((1, 8080), (2, 8082)):
        named(lab, f"http://{alice.address['ipaddress']}:{port}", f"alice-{number}")
    offering = site.root.call("createDiskOffering", name="one", displaytext="one", disksize=1)["diskoffering"]["id"]
    volume = alice.api.call("createVolume", name="data", diskofferingid=offering, zoneid=site.zone)["volume"]["id"]
    first = alice.vm

    alice.api.call("attachVolume", id=volume, virtualmachineid=first["id"])
    in_guest(site, first, volume, f"echo '{MARK}' >$disk/x && sync && umount $disk")
    alice.api.call("detachVolume", id=volume)
    alice.api.call("attachVolume", id=volume, virtualmachineid=second["id"])

    assert in_guest(site, second, volume, "cat $disk/x && umount $disk").strip() == MARK
    alice.api.call("detachVolume", id=volume)
    alice.api.call("deleteVolume", id=volume)
    until(lambda: not list((site.srv / "primary" / "product").glob(f"{volume}*")), 60, "the disk is still there")


def test_a_machine_that_is_restored_begins_with_a_fresh_root_disk(site, lab, alice, second):
    url = f"http://{alice.address['ipaddress']}:8082"
    named(lab, url, "alice-2")
    site.on(second).guest(second["id"], "echo old >/www/mine && sync")
    assert http(lab, f"{url}/mine") == "old\n"

    alice.api.call("restoreVirtualMachine", virtualmachineid=second["id"])

    named(lab, url, "alice-2")
    assert http(lab, f"{url}/mine") != "old\n"


@pytest.mark.parametrize("how", ["killed", "shut down from inside"])
def test_a_machine_that_ends_by_itself_is_stopped_and_may_be_started_again(site, lab, alice, second, how):
    url = f"http://{alice.address['ipaddress']}:8082"
    named(lab, url, "alice-2")
    host, ends = site.on(second), SEEN_WITHIN
    if how == "killed":
        os.kill(process_of(second), 9)
    else:
        host.guest(second["id"], "(sleep 0.2; poweroff) >/dev/null 2>&1 &")
        until(lambda: second["id"] not in host.domains(), 60, "the guest does not end")
    began = time.monotonic()

    until(lambda: state(alice, second) == "Stopped", ends, "the product does not notice")

    assert time.monotonic() - began < ends
    assert site.usage(second["id"])[-1] == "VM.STOP"
    alice.api.call("startVirtualMachine", id=second["id"])
    named(lab, url, "alice-2")


def process_of(vm):
    """QEMU's, as this machine sees it."""
    rows = subprocess.run(["pgrep", "-f", f"qemu.*{vm['id']}"], capture_output=True, text=True).stdout.split()
    return next(int(pid) for pid in rows if os.readlink(f"/proc/{pid}/exe").rpartition("/")[2].startswith("qemu"))
