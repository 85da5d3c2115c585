import dataclasses
import socket
import struct
import subprocess
import time

import pytest

from apps.hypervisors.base import DiskSpec, ImageSpec
from apps.hypervisors.errors import Refused, Unknown
from tests.lab.agents import new
from tests.lab.conftest import Guests

MIB = 1 << 20
LONG = {"within": 60.0}


@pytest.fixture(scope="module")
def shared(agent_hosts, pool, template):
    """One guest for all that does not end it."""
    guests = Guests(agent_hosts, pool, template)
    yield guests.start(nics=(guests.card(1),))
    guests.end()


def test_a_machine_is_what_was_asked_for(shared, host):
    xml = host.virsh("dumpxml", shared.uuid)

    assert host.virsh("dominfo", shared.uuid).split("\n")[1].split()[1] == shared.name
    assert f"<mac address='{shared.nics[0].mac}'/>" in xml
    assert "<domain type='qemu'" in xml  # no vmx, no svm: whatever /dev/kvm says
    assert "<tb-cache unit='KiB'>65536</tb-cache>" in xml
    assert host.guest(shared.uuid, "cat /sys/class/net/eth0/address").strip() == shared.nics[0].mac
    assert host.guest(shared.uuid, "cat /sys/block/vda/serial") == shared.disks[0].uuid.replace("-", "")[:20]


def test_it_is_known_only_while_it_runs(shared, host):
    """So it cannot start by itself after the host did."""
    assert host.virsh("dominfo", shared.uuid).split("Persistent:")[1].split()[0] == "no"


def test_starting_it_again_changes_nothing(shared, host, driver):
    before = host.virsh("domid", shared.uuid)

    driver.power.start(shared, **LONG)

    assert host.virsh("domid", shared.uuid) == before


def test_a_disk_in_one_machine_does_not_come_into_another(shared, guests, host, driver, agent_hosts):
    other = guests.spec(shared.disks[0])

    with pytest.raises(Refused, match=f"is in machine {shared.uuid}"):
        driver.power.start(other, **LONG)
    with pytest.raises(Refused, match="lock"):
        agent_hosts[1].driver().power.start(other, **LONG)

    assert host.domains() == [shared.uuid]
    assert agent_hosts[1].domains() == []


@pytest.mark.parametrize("what", ["a disk that is not there", "a name that is taken", "a foreign image in the chain"])
def test_a_start_that_is_refused_leaves_nothing(what, shared, guests, host, driver, lab):
    data = guests.data()
    driver.disks.create(data, **LONG)
    spec = guests.spec(data, nics=(guests.card(3),))
    if what == "a disk that is not there":
        spec = dataclasses.replace(spec, disks=(data, guests.data()))
    elif what == "a name that is taken":
        spec = dataclasses.replace(spec, name=shared.name)
    else:
        path = lab.directory / "srv" / "primary" / f"{data.uuid}.qcow2"
        path.unlink()
        words = ["qemu-img", "create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", "/etc/passwd", path, "64M"]
        subprocess.run(words, check=True)

    with pytest.raises(Refused):
        driver.power.start(spec, **LONG)

    assert host.domains() == [shared.uuid]
    assert driver.power.runs(spec.uuid, **LONG) is False
    assert spec.nics[0].uuid.replace("-", "")[:14] not in lab.exec("h1", "ip", "link").stdout
    driver.disks.delete(data.uuid, **LONG)


def test_a_machine_that_is_not_ours_is_none_of_our_business(shared, host, driver):
    uuid = new()
    head = f"<name>other</name><uuid>{uuid}</uuid><memory>65536</memory>"
    xml = f"<domain type='qemu'>{head}<os><type arch='x86_64'>hvm</type></os></domain>"
    path = host.state / "other.xml"
    path.write_text(xml)
    host.virsh("create", path)
    try:
        assert driver.host.machines(**LONG) == {shared.uuid}
        assert uuid not in {each.uuid for each in driver.stats.machines(**LONG)}
    finally:
        host.virsh("destroy", uuid)
        path.unlink()


def test_an_iso_is_put_in_and_taken_out(shared, host, driver, lab):
    path = lab.directory / "srv" / "secondary" / "put.iso"
    lab.exec("h1", "genisoimage", "-quiet", "-V", "PUTIN", "-o", path, host.logfile)
    iso = ImageSpec(new(), "file:///srv/secondary/put.iso", "ISO")

    driver.power.insert(shared.uuid, iso, **LONG)
    read = "dd if=/dev/sr0 bs=2048 skip=16 count=1 2>/dev/null | dd bs=1 skip=40 count=5 2>/dev/null"
    label = host.guest(
        shared.uuid, f"for i in 1 2 3 4 5 6 7 8 9; do x=$({read}); [ $x ] && break; sleep 0.5; done; echo $x"
    )
    driver.power.insert(shared.uuid, None, **LONG)

    assert label == "PUTIN\n"
    assert host.virsh("domblklist", shared.uuid).split("hdc")[1].split()[0] == "-"
    with pytest.raises(Refused, match="there is no ISO"):
        driver.power.insert(shared.uuid, dataclasses.replace(iso, url="file:///srv/secondary/none.iso"), **LONG)


def test_a_disk_grows_under_a_running_machine(shared, guests, host, driver):
    data = guests.data(device_id=5)
    driver.disks.create(data, **LONG)
    driver.disks.attach(shared.uuid, data, **LONG)

    driver.disks.resize(DiskSpec(data.uuid, 96 * MIB, pool=data.pool), **LONG)

    seen = 'until [ "$(cat /sys/block/vdb/size)" = 196608 ]; do sleep 0.2; done 2>/dev/null; echo yes'
    assert host.guest(shared.uuid, seen) == "yes\n"
    assert driver.disks.size(data.uuid, **LONG) == 96 * MIB
    driver.disks.detach(shared.uuid, data.uuid, **LONG)
    driver.disks.delete(data.uuid, **LONG)


def test_a_slot_that_is_taken_is_refused(shared, guests, driver):
    data = guests.data(device_id=0)
    driver.disks.create(data, **LONG)

    with pytest.raises(Refused, match="device_id: 0 is not free"):
        driver.disks.attach(shared.uuid, data, **LONG)

    assert driver.disks.has(shared.uuid, data.uuid, **LONG) is False
    driver.disks.delete(data.uuid, **LONG)


def test_the_screen_is_reached_with_a_ticket_and_a_picture_is_taken(shared, driver, lab):
    first = driver.console.address(shared.uuid, **LONG)
    second = driver.console.address(shared.uuid, **LONG)

    assert (first.host, first.port) == (lab.address("h1"), second.port)
    assert vnc(first.host, first.port, second.password) is True
    assert vnc(first.host, first.port, first.password) is False
    assert driver.console.screenshot(shared.uuid, **LONG)[:8] == b"\x89PNG\r\n\x1a\n"


def vnc(host, port, password):
    """Does the server take the password? As RFC 6143 has it: DES of a challenge, the bits of each byte turned round."""
    with socket.create_connection((host, port), 10) as sock:
        stream = sock.makefile("rb")
        assert stream.read(12).startswith(b"RFB 003.")
        sock.sendall(b"RFB 003.008\n")
        kinds = stream.read(stream.read(1)[0])
        assert 2 in kinds  # with a password
        assert 1 not in kinds  # and never without
        sock.sendall(b"\2")
        challenge = stream.read(16)
        key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode().ljust(8, b"\0"))
        words = ["openssl", "enc", "-des-ecb", "-nopad", "-K", key.hex(), "-provider", "legacy", "-provider", "default"]
        sock.sendall(subprocess.run(words, input=challenge, capture_output=True, check=True).stdout)
        return struct.unpack(">I", stream.read(4))[0] == 0


def test_stats_grow_with_use_and_over_restarts_of_agent_and_qemu(shared, guests, host, driver):
    def mine():
        return next(each for each in driver.stats.machines(**LONG) if each.uuid == shared.uuid)

    before = mine()
    host.guest(shared.uuid, "dd if=/dev/zero of=/x bs=1M count=4 2>/dev/null; sync; rm /x")
    host.restart()
    after = mine()

    assert after.epoch == before.epoch
    written = [{disk.uuid: disk.written_bytes for disk in each.disks}[shared.disks[0].uuid] for each in (before, after)]
    assert written[1] - written[0] >= 4 * MIB
    assert after.cpu_seconds > before.cpu_seconds
    assert after.nics[0].uuid == shared.nics[0].uuid
    assert after.memory_kib > 0


def test_a_restart_of_the_agent_keeps_guests_running(shared, host, driver):
    before = host.virsh("domid", shared.uuid)

    for number in (9, 15):
        host.restart(number)

    assert host.virsh("domid", shared.uuid) == before
    assert host.guest(shared.uuid, "echo here") == "here\n"
    assert driver.power.runs(shared.uuid, **LONG) is True


def test_a_restart_of_libvirt_is_seen_and_survived(shared, host, driver, manager, lab):
    lab.exec("h1", "sh", "-c", "kill $(pidof libvirtd)")
    deadline = time.monotonic() + 30
    while not [line for line in host.log() if line["event"] == "libvirt lost"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    told = len(manager.reports)
    manager.wait(lambda m: [r for r in m.reports[told - 1 :] if "libvirt" in r and "machines" not in r])
    lab.exec("h1", "libvirtd", "-l", "-d")
    back = len(manager.reports)

    runs = {"uuid": shared.uuid, "state": "running"}
    manager.wait(lambda m: [report for report in m.reports[back:] if runs in report.get("machines", ())])

    assert driver.power.runs(shared.uuid, **LONG) is True


def test_the_agent_stays_small(shared, host, driver):
    connections = [host.driver() for _ in range(8)]
    for each in connections:
        each.host.machines(**LONG)

    print("agent RSS", host.memory_kib())
    assert host.memory_kib() << 10 <= 40_000_000


# -- what ends a machine


def test_a_machine_that_is_asked_to_stop_does_so_by_itself(guests, host, driver, manager):
    spec = guests.start()

    driver.power.stop(spec.uuid, within=90)

    assert spec.uuid not in host.domains()
    (event,) = manager.wait(lambda m: m.events("power", machine=spec.uuid, state="stopped"))
    assert event["reason"] == "shutdown"
    driver.power.stop(spec.uuid, **LONG)


def test_a_guest_that_does_not_listen_is_cut_off_within_the_deadline(guests, driver):
    data = guests.data()
    driver.disks.create(data, **LONG)
    spec = guests.spec(data)
    guests.started(guests.hosts[0], spec)
    driver.power.start(spec, **LONG)
    began = time.monotonic()

    driver.power.stop(spec.uuid, within=20)

    assert time.monotonic() - began < 20
    assert driver.power.runs(spec.uuid, **LONG) is False


def test_a_guest_that_does_not_let_go_of_a_disk_is_unknown_not_detached(guests, driver):
    root, data = guests.data(), guests.data(device_id=1)
    for disk in (root, data):
        driver.disks.create(disk, **LONG)
    spec = guests.spec(root, data)  # nothing boots: nobody hears
    guests.started(guests.hosts[0], spec)
    driver.power.start(spec, **LONG)

    with pytest.raises(Unknown, match="has not let go"):
        driver.disks.detach(spec.uuid, data.uuid, within=8)

    assert driver.disks.has(spec.uuid, data.uuid, **LONG) is True


def test_a_qemu_that_dies_is_told_at_once(guests, host, driver, manager, lab):
    data = guests.data()
    driver.disks.create(data, **LONG)
    spec = guests.spec(data)
    guests.started(host, spec)
    driver.power.start(spec, **LONG)
    pid = lab.exec("h1", "pgrep", "-f", f"uuid {spec.uuid}").stdout.split()[0]
    began = time.monotonic()

    lab.exec("h1", "kill", "-9", pid)

    (event,) = manager.wait(lambda m: m.events("power", machine=spec.uuid, state="stopped"))
    assert time.monotonic() - began < 5
    assert event["reason"] == "failed"
    assert driver.power.runs(spec.uuid, **LONG) is False


def test_a_guest_that_ends_by_itself_is_told(guests, host, manager):
    spec = guests.start()

    host.guest(spec.uuid, "(sleep 0.5; poweroff) >/dev/null 2>&1 &")

    (event,) = manager.wait(lambda m: m.events("power", machine=spec.uuid, state="stopped"), seconds=60)
    assert event["reason"] == "shutdown"


def test_a_guest_is_asked_to_reboot_and_does(guests, host, driver, manager):
    spec = guests.start()
    before = host.guest(spec.uuid, "cat /proc/sys/kernel/random/boot_id")

    driver.power.reboot(spec.uuid, within=90)

    manager.wait(lambda m: m.events("power", machine=spec.uuid, reason="rebooted"))
    assert host.guest(spec.uuid, "cat /proc/sys/kernel/random/boot_id", seconds=120) != before
    assert driver.power.runs(spec.uuid, **LONG) is True
