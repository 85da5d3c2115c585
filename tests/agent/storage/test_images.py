"""What comes from strangers, into the cache of a pool and into secondary storage."""

import bz2
import gzip
import hashlib
import json
import lzma
import struct
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agent.http.errors import Busy, Invalid, Refused
from agent.http.keys import Deadline
from agent.storage import fetch
from agent.storage.specs import ImageRules, ImageSpec
from tests.agent.storage.conftest import MIB, Host, disk, image, new, qemu_img

ANY = ("127.0.0.0/8",)


@pytest.fixture
def good(secondary):
    raw, path = secondary / "raw", secondary / "good.qcow2"
    raw.write_bytes(b"hello".ljust(8 * MIB, b"\0"))
    qemu_img("convert", "-f", "raw", "-O", "qcow2", raw, path)
    raw.unlink()
    return path


def patched(path, at, form, *values):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(struct.pack(form, *values))
    return path


def based(secondary, good):
    qemu_img("create", "-u", "-f", "qcow2", "-F", "raw", "-b", "/etc/passwd", secondary / "x", "8M")
    return secondary / "x"


def with_data_file(secondary, good):
    qemu_img("create", "-f", "qcow2", "-o", f"data_file={secondary}/data,data_file_raw=on", secondary / "x", "8M")
    return secondary / "x"


def with_hidden_data_file(secondary, good):
    """The feature bit is off, the name is there."""
    return patched(with_data_file(secondary, good), 72, ">Q", 0)


def encrypted(secondary, good):
    words = ("-o", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10", secondary / "x", "8M")
    qemu_img("create", "--object", "secret,id=s,data=geheim", "-f", "qcow2", *words)
    return secondary / "x"


def vmdk_as_qcow2(secondary, good):
    qemu_img("convert", "-f", "qcow2", "-O", "vmdk", good, secondary / "x")
    return secondary / "x"


HOSTILE = {
    "based on another file": ("QCOW2", based, "on which it is based"),
    "data in another file": ("QCOW2", with_data_file, "which has its data"),
    "data in another file, hidden": ("QCOW2", with_hidden_data_file, "which has its data"),
    "encrypted": ("QCOW2", encrypted, "the image is encrypted"),
    "marked as corrupt": ("QCOW2", lambda s, g: patched(g, 72, ">Q", 2), "marked as corrupt"),
    "features nobody knows": ("QCOW2", lambda s, g: patched(g, 72, ">Q", 1 << 40), "features that are not known"),
    "too large for a machine": ("QCOW2", lambda s, g: patched(g, 24, ">Q", 1 << 50), "may have 1073741824"),
    "no size": ("QCOW2", lambda s, g: patched(g, 24, ">Q", 0), "the image is of 0 bytes"),
    "a table beyond all memory": ("QCOW2", lambda s, g: patched(g, 36, ">I", 0xFFFFFFFF), "qemu-img"),
    "cut off": ("QCOW2", lambda s, g: g.write_bytes(g.read_bytes()[:50]) and g, "does not begin as a qcow2"),
    "another format": ("QCOW2", vmdk_as_qcow2, "does not begin as a qcow2"),
    "qcow2 that says raw": ("RAW", lambda s, g: g, "the image is qcow2, not RAW"),
    "vmdk that says raw": ("RAW", vmdk_as_qcow2, "the image is vmdk, not RAW"),
    "a vmdk that names files": (
        "RAW",
        lambda s, g: (s / "x").write_text('# Disk DescriptorFile\nRW 1 FLAT "/etc/shadow" 0\n'.ljust(512)) and s / "x",
        "the image is vmdk, not RAW",
    ),
    "no whole sectors": ("RAW", lambda s, g: (s / "x").write_bytes(b"x" * 700) and s / "x", "no whole sectors"),
    "no disk but an ISO": ("ISO", lambda s, g: (s / "x").write_bytes(b"x" * 99999) and s / "x", "is no ISO"),
    "a format of others": ("VHD", lambda s, g: g, "not for this hypervisor"),
    "a directory": ("QCOW2", lambda s, g: s, "there is no such file"),
    "nothing": ("QCOW2", lambda s, g: s / "none", "there is no such file"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_not_as_it_must_be_is_refused_and_leaves_nothing(host, pool, place, secondary, good, soon, what):
    format, make, text = HOSTILE[what]
    wanted = disk(pool, image=image(make(secondary, good), format))

    with pytest.raises(Refused, match=text):
        host.disks.create(wanted, soon)

    assert list(place.iterdir()) == []
    assert list((place.parent / "state" / "scratch").iterdir()) == []
    assert host.disks.exists(wanted.uuid, soon) is False


PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("members", [1, 2])
def test_packed_images_are_unpacked(host, pool, secondary, soon, kind, members):
    parts = [b"hello".ljust(3 * MIB // members, b"\0") for _ in range(members)]
    (secondary / "x").write_bytes(b"".join(PACKERS[kind](part) for part in parts))
    wanted = disk(pool, image=image(secondary / "x", "RAW"))

    host.disks.create(wanted, soon)

    out = secondary / "out"
    qemu_img("convert", "-f", "qcow2", "-O", "raw", host.disks.source(wanted).path, out)
    assert out.read_bytes()[: 3 * MIB] == b"".join(parts)


@pytest.mark.parametrize("kind", PACKERS)
def test_packed_data_that_are_cut_off_are_refused(host, pool, place, secondary, soon, kind):
    data = PACKERS[kind](hashlib.shake_128(b"noise").digest(MIB))
    (secondary / "x").write_bytes(data[: len(data) // 2])

    with pytest.raises(Refused, match="cut off"):
        host.disks.create(disk(pool, image=image(secondary / "x", "RAW")), soon)

    assert list(place.iterdir()) == []


@pytest.mark.parametrize("kind", PACKERS)
def test_a_bomb_stops_at_what_is_allowed(host, place, secondary, soon, kind):
    """A gigabyte of zeros in some kilobytes; neither the disk nor the memory sees it."""
    piece = PACKERS[kind](bytes(64 * MIB))
    (secondary / "x").write_bytes(piece * 16)
    rules, began = ImageRules(32 * MIB, 64 * MIB, folders=(str(secondary),)), time.monotonic()

    with pytest.raises(Refused, match="more than the 33554432 bytes"):
        host.images.bring(image(secondary / "x", "RAW"), f"file://{place}", "x", rules, soon)

    assert list(place.iterdir()) == []
    assert time.monotonic() - began < 20


def test_a_dictionary_that_needs_too_much_memory_is_refused(host, pool, secondary, soon):
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30, "preset": 0, "mf": lzma.MF_HC3, "nice_len": 32}]
    data = bytearray(lzma.compress(b"x" * 512, lzma.FORMAT_XZ, filters=[{**filters[0], "dict_size": 1 << 16}]))
    # the size of the dictionary stands in the header of the block: 40 means the most that can be said
    at = data.index(b"\x21\x01") + 2
    data[at] = 36
    head = 12
    size = (data[head] + 1) * 4
    data[head + size - 4 : head + size] = struct.pack("<I", zlib.crc32(bytes(data[head : head + size - 4])))
    (secondary / "x").write_bytes(bytes(data))

    with pytest.raises(Refused, match="[Mm]emory"):
        host.disks.create(disk(pool, image=image(secondary / "x", "RAW")), soon)


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256", "sha512"])
@pytest.mark.parametrize("form", ["{{{}}}{}", "{1}"])
def test_a_checksum_is_compared(host, pool, good, soon, name, form):
    right = hashlib.new(name, good.read_bytes()).hexdigest()
    wrong = hashlib.new(name, b"other").hexdigest()
    kind = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha512": "SHA-512"}[name]

    with pytest.raises(Refused, match="the checksum is not that of the file"):
        host.disks.create(disk(pool, image=image(good, checksum=form.format(kind, wrong))), soon)
    host.disks.create(disk(pool, image=image(good, checksum=form.format(kind, right))), soon)


def test_a_checksum_of_no_kind_is_refused(host, pool, good, soon):
    with pytest.raises(Refused, match="none of MD5"):
        host.disks.create(disk(pool, image=image(good, checksum="{CRC}abcd")), soon)


def test_a_store_that_is_full_is_said(host, pool, place, good, soon, monkeypatch):
    host.disks.ensure_pool(pool, soon)
    monkeypatch.setattr(type(host.pools.get(pool.uuid).folder), "space", lambda self: (1 << 40, 0))

    with pytest.raises(Refused, match="the storage is full"):
        host.disks.create(disk(pool, image=image(good)), soon)

    assert list(place.iterdir()) == []


# -- copies


class Slow:
    """A server whose bytes come when the test says so."""

    def __init__(self, data):
        self.data, self.go, self.asked = data, threading.Event(), 0
        self.status, self.location = 200, ""

    def __enter__(self):
        slow = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                slow.asked += 1
                self.send_response(slow.status)
                if slow.location:
                    self.send_header("Location", slow.location)
                self.send_header("Content-Length", str(len(slow.data)))
                self.end_headers()
                self.wfile.write(slow.data[: len(slow.data) // 2])
                slow.go.wait(20)
                self.wfile.write(slow.data[len(slow.data) // 2 :])

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/x"
        return self

    def __exit__(self, *args):
        self.go.set()
        self.server.shutdown()
        self.server.server_close()


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_copy_tells_how_far_it_is_and_is_made_once(host, pool, good, soon):
    noise = hashlib.shake_128(b"noise").digest(40 * MIB)
    with Slow(noise) as server:
        template = ImageSpec(new(), server.url, "RAW")
        wanted = disk(pool, image=template)

        with pytest.raises(Busy):
            host.disks.create(wanted, Deadline(0.1))
        until(lambda: host.tasks.list()[0]["done"])
        with pytest.raises(Busy, match="fetching"):
            host.disks.create(wanted, Deadline(0.1))
        (task,) = host.tasks.list()
        assert (task["kind"], task["phase"], task["total"]) == ("image", "fetching", 40 * MIB)
        assert 16 * MIB <= task["done"] <= 20 * MIB
        server.go.set()
        host.disks.create(wanted, soon)

    assert (host.tasks.list(), server.asked) == ([], 1)


def test_what_a_copy_failed_with_is_told_once_and_then_it_is_tried_again(host, pool, place, soon):
    with Slow(b"x" * 1000) as server:
        server.status = 500
        wanted = disk(pool, image=ImageSpec(new(), server.url, "RAW"))
        server.go.set()
        with pytest.raises(Busy):
            host.disks.create(wanted, Deadline(0.1))
        until(lambda: not host.tasks.list())

        for _ in range(2):
            with pytest.raises(Refused, match="status 500"):
                host.disks.create(wanted, soon)

    assert server.asked == 2
    assert list(place.iterdir()) == []


def test_a_copy_of_an_agent_that_was_killed_is_begun_again(tmp_path, host, pool, place, log, soon):
    with Slow(b"\1" * (4 * MIB)) as server:
        wanted = disk(pool, image=ImageSpec(new(), server.url, "RAW"))
        with pytest.raises(Busy):
            host.disks.create(wanted, Deadline(0.1))
        until(lambda: list(place.glob("*.part")))
        (task,) = host.tasks._tasks.values()

        again = Host(tmp_path / "state", log)
        again.pools.load()
        with pytest.raises(Busy):
            again.disks.create(wanted, Deadline(0.5))
        assert server.asked == 1  # the child of the first one still lives
        task.calls_off.set()
        task.finished.wait(10)
        server.go.set()
        again.disks.create(wanted, soon)

    assert server.asked == 2
    assert [path.name for path in place.glob("*.part")] == []


# -- secondary storage


def bring(host, url, store, name="a/b.img", format="RAW", checksum="", **rules):
    limits = ImageRules(**{"max_bytes": 64 * MIB, "max_virtual_bytes": 64 * MIB, "allowed": ANY, **rules})
    return host.images.bring(
        ImageSpec(new(), url, format, checksum=checksum), f"file://{store}", name, limits, Deadline(30)
    )


def test_what_was_brought_is_not_brought_again_for_who_did_not_hear_it(host, secondary):
    with Slow(b"hello".ljust(MIB, b"\0")) as server:
        server.go.set()
        first = bring(host, server.url, secondary)

        assert bring(host, server.url, secondary) == first
        host.images.remove(f"file://{secondary}", "a/b.img", Deadline(5))
        assert bring(host, server.url, secondary) == first

    assert server.asked == 2


def test_a_copy_that_nobody_wants_any_more_is_called_off(host, pool, place, soon):
    with Slow(b"\1" * (4 * MIB)) as server:
        wanted = disk(pool, image=ImageSpec(new(), server.url, "RAW"))
        with pytest.raises(Busy):
            host.disks.create(wanted, Deadline(0.1))
        until(lambda: server.asked)

        host.disks.drop_image(pool.uuid, wanted.image.uuid, soon)

    assert (host.tasks.list(), list(place.iterdir())) == ([], [])


def test_an_image_comes_into_the_store_as_it_is(host, secondary):
    data = b"hello".ljust(MIB, b"\0")
    with Slow(data) as server:
        server.go.set()

        stored = bring(host, server.url, secondary)

    digest = hashlib.sha256(data).hexdigest()
    assert (stored.stored_bytes, stored.virtual_bytes, stored.format, stored.checksum) == (
        MIB,
        MIB,
        "RAW",
        f"{{SHA-256}}{digest}",
    )
    assert (secondary / "a" / "b.img").read_bytes() == data
    for _ in range(2):
        host.images.remove(f"file://{secondary}", "a/b.img", Deadline(5))
        assert list((secondary / "a").iterdir()) == []


@pytest.mark.parametrize(
    ("url", "rules", "text"),
    [
        ("http://127.0.0.1:1/x", {"allowed": ()}, "at an address that may not be asked"),
        ("http://169.254.169.254/x", {"allowed": ()}, "at an address that may not be asked"),
        ("http://[::1]/x", {"allowed": ()}, "at an address that may not be asked"),
        ("http://user:password@127.0.0.1/x", {}, "without a user"),
        ("ftp://127.0.0.1/x", {}, "do not come by ftp"),
        ("file:///etc/passwd", {}, "not in a directory that may be read"),
        ("file:///srv/../etc/passwd", {"folders": ("/srv",)}, "not in a directory that may be read"),
    ],
)
def test_what_may_not_be_asked_is_not_asked(host, secondary, url, rules, text):
    with pytest.raises(Refused, match=text):
        bring(host, url, secondary, **rules)

    assert [path for path in secondary.rglob("*") if path.is_file()] == []


def test_a_redirect_to_the_inside_is_not_followed(host, secondary):
    with Slow(b"") as server:
        server.go.set()
        server.status, server.location = 302, "http://169.254.169.254/latest"

        with pytest.raises(Refused, match="at an address that may not be asked"):
            bring(host, server.url, secondary)


def test_an_image_larger_than_allowed_is_refused_before_it_comes(host, secondary):
    with Slow(b"x" * 3 * MIB) as server, pytest.raises(Refused, match="3145728 bytes, more than the 1048576"):
        bring(host, server.url, secondary, max_bytes=MIB)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a//b", ".x", "a/../b", "", "a b", "ü"])
def test_a_name_cannot_leave_the_store(host, secondary, name):
    with pytest.raises(Invalid, match="name"):
        bring(host, "http://127.0.0.1/x", secondary, name)


def test_a_disk_is_taken_into_the_store_as_one_image(host, pool, place, secondary, good, soon):
    made = disk(pool, image=image(good))
    host.disks.create(made, soon)

    stored = host.disks.take(made.uuid, f"file://{secondary}", "t/x.qcow2", soon)

    path = secondary / "t" / "x.qcow2"
    told = json.loads(qemu_img("info", "--output=json", path))
    assert (stored.virtual_bytes, stored.stored_bytes) == (64 * MIB, path.stat().st_size)
    assert (told["virtual-size"], "backing-filename" in told) == (64 * MIB, False)
    qemu_img("convert", "-f", "qcow2", "-O", "raw", path, secondary / "out")
    assert (secondary / "out").read_bytes()[:5] == b"hello"
    host.live.attached[made.uuid] = "m"
    with pytest.raises(Refused, match="which runs"):
        host.disks.take(made.uuid, f"file://{secondary}", "t/y.qcow2", soon)


@pytest.mark.parametrize(
    ("address", "allowed", "expected"),
    [
        ("8.8.8.8", (), True),
        ("10.0.0.1", (), False),
        ("10.0.0.1", ("10.0.0.0/24",), True),
        ("::ffff:10.0.0.1", (), False),
        ("64:ff9b::a00:1", (), False),
        ("fe80::1%eth0", (), False),
        ("224.0.0.1", (), False),
    ],
)
def test_addresses_that_may_be_asked(address, allowed, expected):
    assert fetch.is_allowed(address, allowed) is expected
