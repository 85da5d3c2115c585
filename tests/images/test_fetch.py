"""What is fetched for a customer, from a server that may be anybody's: over real sockets."""

import hashlib
import http.server
import os
import socket
import threading
import time

import pytest

from apps.images import fetch
from apps.images.fetch import FetchError, Rules

BODY = b"image" * 1000
HERE = ("127.0.0.1",)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        getattr(self, f"do_{self.path.strip('/').partition('/')[0]}")()

    def head(self, **headers):
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def do_plain(self):
        self.head(Content_Length=str(len(BODY)))
        self.wfile.write(BODY)

    def do_unsaid(self):
        self.head()
        self.wfile.write(BODY)

    def do_chunked(self):
        self.head(Transfer_Encoding="chunked")
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY))

    def do_endless(self):
        self.head()
        with self.quiet():
            while True:
                self.wfile.write(b"x" * 65536)

    def do_liar(self):
        self.head(Content_Length="10")
        self.wfile.write(BODY)

    def do_nonsense(self):
        self.head(Content_Length="many")
        self.wfile.write(BODY)

    def do_drip(self):
        """Never quiet for long, and never done with its headers."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        self.slowly(b"X-Slow: " + b"x" * 1000)

    def do_dripchunk(self):
        self.head(Transfer_Encoding="chunked")
        self.slowly(b"5;" + b"x" * 1000)

    def do_stop(self):
        self.head()
        self.wfile.write(BODY)
        time.sleep(1)
        with self.quiet():
            self.wfile.write(BODY)

    def do_cutoff(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Half: ")

    def do_empty(self):
        self.head(Content_Length="0")

    def do_crawl(self):
        self.head()
        self.slowly(b"x" * 1000)

    def do_mute(self):
        time.sleep(2)

    def do_loop(self):
        self.move("/loop")

    def do_to(self):
        self.move(self.path.removeprefix("/to/"))

    def move(self, where):
        self.send_response(302)
        self.send_header("Location", where)
        self.end_headers()

    def slowly(self, data):
        with self.quiet():
            for byte in data:
                self.wfile.write(bytes([byte]))
                time.sleep(0.02)

    def quiet(self):
        from contextlib import suppress

        return suppress(OSError)

    def log_message(self, *args):
        """Quiet."""


@pytest.fixture(scope="module")
def server():
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "store" / "image"


def rules(**kw):
    return Rules(**{"max_bytes": 1 << 20, "max_seconds": 20.0, "allowed": HERE} | kw)


def refused(url, target, **kw):
    with pytest.raises(FetchError) as error:
        fetch.fetch(url, target, rules(**kw))
    assert [path for path in target.parent.rglob("*") if path.is_file()] == []
    return str(error.value)


@pytest.mark.parametrize("path", ["plain", "unsaid", "chunked", "nonsense"])
def test_a_file_comes_whole_whether_its_length_is_said_or_not(server, target, path):
    assert fetch.fetch(f"{server}/{path}", target, rules()) == len(BODY)

    assert target.read_bytes() == BODY
    assert [each.name for each in target.parent.iterdir()] == ["image"]


def test_what_an_older_worker_left_is_cleared_away(server, target):
    target.parent.mkdir()
    (target.parent / "image.7-7.part").write_bytes(b"half")

    fetch.fetch(f"{server}/plain", target, rules())

    assert [each.name for each in target.parent.iterdir()] == ["image"]


@pytest.mark.parametrize("path", ["plain", "unsaid", "chunked"])
def test_a_file_that_is_too_large_is_not_kept(server, target, path):
    assert "bytes that are allowed" in refused(f"{server}/{path}", target, max_bytes=4999).replace(
        "bytes, more than the 4999 that are allowed", "bytes that are allowed"
    )


def test_a_stream_without_end_is_cut_at_the_limit(server, target):
    assert refused(f"{server}/endless", target, max_bytes=9999) == "it has more than the 9999 bytes that are allowed"


def test_a_length_that_is_smaller_than_the_file_counts(server, target):
    """What comes after the announced end is no part of the file."""
    assert fetch.fetch(f"{server}/liar", target, rules()) == 10


@pytest.mark.parametrize("name", ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"])
def test_the_checksum_is_compared(server, target, name):
    digest = hashlib.new(name, BODY).hexdigest()

    fetch.fetch(f"{server}/plain", target, rules(checksum=digest.upper()))
    target.unlink()

    assert refused(f"{server}/plain", target, checksum="0" * len(digest)) == "the checksum is not that of the file"


@pytest.mark.parametrize("checksum", ["{SHA-256}%s", "{sha256}%s", "%s"])
def test_the_kind_of_a_checksum_may_be_said(server, target, checksum):
    fetch.fetch(f"{server}/plain", target, rules(checksum=checksum % hashlib.sha256(BODY).hexdigest()))

    assert target.exists()


def test_private_addresses_are_refused_unless_they_are_allowed(server, target):
    assert refused(f"{server}/plain", target, allowed=()) == "the server is at an address that may not be asked"
    assert refused(f"{server}/plain", target, allowed=("10.0.0.0/8", "nonsense")) == refused(
        f"{server}/plain", target, allowed=()
    )
    fetch.fetch(f"{server}/plain", target, rules(allowed=("nonsense", "127.0.0.0/8")))


def test_names_that_mean_a_private_address_are_refused(server, target):
    port = server.rpartition(":")[2]

    for name in ("localhost", "LOCALHOST", "127.1", "0x7f.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]"):
        assert refused(f"http://{name}:{port}/plain", target, allowed=()) in (
            "the server is at an address that may not be asked",
            "the name of the server is not known",
        )
    assert "may not be asked" in refused(f"http://localhost:{port}/plain", target, allowed=())


def test_every_redirect_is_checked_like_the_first_url(server, target):
    inner = "the server is at an address that may not be asked"
    only_http = "only http and https URLs with a host name can be fetched"

    assert refused(f"{server}/to/http://127.0.0.2/plain", target) == inner
    assert refused(f"{server}/to/http://169.254.169.254/latest/meta-data", target) == inner
    assert refused(f"{server}/to/file:///etc/passwd", target) == only_http
    assert refused(f"{server}/to/gopher://127.0.0.1/x", target) == only_http
    assert "user name" in refused(f"{server}/to/http://u:p@127.0.0.1/x", target)
    assert refused(f"{server}/loop", target) == "more than 5 redirects"
    assert fetch.fetch(f"{server}/to//plain", target, rules()) == len(BODY)


@pytest.mark.parametrize("path", ["drip", "dripchunk"])
def test_a_server_that_keeps_us_with_single_bytes_is_cut_off(server, target, monkeypatch, path):
    monkeypatch.setattr(fetch, "STALL", 0.4)
    began = time.monotonic()

    assert refused(f"{server}/{path}", target) in (
        "the server takes too long",
        "the server cannot be reached, or broke off",
    )

    assert time.monotonic() - began < 5


def test_a_file_of_unknown_length_that_was_cut_off_is_not_taken_for_whole(server, target, monkeypatch):
    monkeypatch.setattr(fetch, "STALL", 0.3)

    assert refused(f"{server}/stop", target) == "the server takes too long"


@pytest.mark.parametrize("path", ["cutoff", "empty"])
def test_nothing_is_no_image(server, target, path):
    assert refused(f"{server}/{path}", target) == "the file is empty"


def test_a_quiet_server_is_left(server, target, monkeypatch):
    monkeypatch.setattr(fetch, "QUIET", 0.3)

    assert refused(f"{server}/mute", target) == "the server cannot be reached, or broke off"


def test_what_takes_too_long_is_given_up(server, target):
    assert refused(f"{server}/crawl", target, max_seconds=0.3) == "it takes too long"


def test_nobody_there(target):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    assert refused(f"http://127.0.0.1:{port}/x", target) == "the server cannot be reached, or broke off"
    assert refused("http://no-such-name.invalid/x", target) == "the name of the server is not known"


@pytest.mark.parametrize(
    "address",
    [
        "::7f00:1",
        "::10.0.0.1",
        "64:ff9b:1::a00:1",
        "::ffff:0:10.0.0.1",
        "fec0::1",
        "5f00::1",
        "3fff::1",
        "2002:a00:1::",
        "192.0.0.8",
        "100.64.0.1",
        "198.18.0.1",
        "255.255.255.255",
        "0.1.2.3",
        "ff02::1",
        "2001:db8::1",
    ],
)
def test_addresses_that_stand_for_others_or_for_nobody_are_not_asked(address):
    assert fetch.is_allowed(address, ()) is False
    assert fetch.is_allowed("2001:4860:4860::8888", ()) is True


# files of the workers


def copied(path, target, folders):
    return fetch.copy(f"file://{path}", target, rules(), [str(folder) for folder in folders])


def test_a_file_of_a_folder_that_may_be_read_is_copied(tmp_path, target):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "a b.qcow2").write_bytes(BODY)

    assert fetch.copy(f"file://{folder}/a%20b.qcow2", target, rules(), ["/nowhere", str(folder)]) == len(BODY)

    assert target.read_bytes() == BODY
    digest = hashlib.sha256(BODY).hexdigest()
    assert fetch.copy(f"file://{folder}/a%20b.qcow2", target, rules(checksum=digest), [str(folder)]) == len(BODY)


def test_a_file_elsewhere_is_not_there_whatever_it_is(tmp_path, target):
    folder, other = tmp_path / "images", tmp_path / "images-too"
    folder.mkdir()
    other.mkdir()
    (other / "x").write_bytes(b"secret")
    (folder / "link").symlink_to(other / "x")
    (folder / "loop").symlink_to(folder / "loop")
    os.mkfifo(folder / "pipe")

    for path in (other / "x", folder / "link", folder / "loop", folder / "pipe", folder / "none", folder):
        with pytest.raises(FetchError, match="there is no such file in a folder that may be read"):
            copied(path, target, [folder])
    with pytest.raises(FetchError):
        copied(other / "x", target, [])
    for url in (f"file://{folder}/../images-too/x", "file://host/x", "file:x"):
        with pytest.raises(FetchError, match="a file of the workers is file:///path"):
            fetch.copy(url, target, rules(), [str(folder)])
    assert not target.exists()


def test_the_size_limit_and_the_checksum_hold_for_files_too(tmp_path, target):
    (tmp_path / "x").write_bytes(BODY)

    for more, words in (({"max_bytes": 10}, "more than the 10"), ({"checksum": "0" * 64}, "the checksum is not")):
        with pytest.raises(FetchError, match=words):
            fetch.copy(f"file://{tmp_path}/x", target, rules(**more), [str(tmp_path)])
    assert not target.exists()
