import io

import pytest

from agent.http import wire
from agent.http.errors import Invalid


def read(data):
    return wire.read(io.BytesIO(data))


def test_what_was_written_is_read():
    stream = io.BytesIO(wire.request("POST", "/a", "h", {"x": "ä"}) + wire.request("GET", "/b", "h"))

    first, second = wire.read(stream), wire.read(stream)

    assert (first.start, first.json(), second.start, second.json()) == (
        "POST /a HTTP/1.1",
        {"x": "ä"},
        "GET /b HTTP/1.1",
        None,
    )
    assert wire.read(stream) is None


def test_chunks_are_put_together():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    assert read(head + b"3\r\n[1,\r\n2;x=y\r\n2]\r\n0\r\nTrailer: x\r\n\r\n").json() == [1, 2]


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 5000 + b"\r\n",
        b"x" * 20000,
        b"GET / HTTP/1.1\r\n",
        b"\r\n",
    ],
)
def test_what_is_too_much_or_cut_off_is_refused(data):
    with pytest.raises(Invalid):
        read(data)


def test_a_body_that_is_cut_off_is_a_lost_connection():
    with pytest.raises(ConnectionError):
        read(b"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n123")


@pytest.mark.parametrize("body", [b"{", b"[" * 200000, b"\xff"])
def test_a_body_that_is_no_json(body):
    with pytest.raises(Invalid, match="no JSON"):
        wire.Message("GET / HTTP/1.1", {}, body).json()
