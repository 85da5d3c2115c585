"""The beginning of a connection by RFB 3.8 (RFC 6143, section 7.1), from both sides. What follows is only passed on."""

from typing import Protocol

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

VERSION = b"RFB 003.008\n"
NONE, BY_PASSWORD = 1, 2
OK = bytes(4)
LONGEST_REASON = 4096


class Stream(Protocol):
    async def readexactly(self, n: int, /) -> bytes: ...


class Sink(Protocol):
    def write(self, data: bytes, /) -> None: ...
    async def drain(self) -> None: ...


class NotRfb(Exception):
    """The other side speaks something else, or does not let us in."""


async def greet(reader: Stream, writer: Sink) -> None:
    """As a server, to a viewer that has shown its token: nothing more is asked of it."""
    await _say(writer, VERSION)
    if await reader.readexactly(12) != VERSION:
        raise NotRfb("the viewer does not speak RFB 3.8")
    await _say(writer, bytes([1, NONE]))
    if await reader.readexactly(1) != bytes([NONE]):
        raise NotRfb("the viewer wants another way in")
    await _say(writer, OK)


async def enter(reader: Stream, writer: Sink, password: str) -> None:
    """As a viewer, into the screen of a machine: by its password, or by none where it asks for none."""
    version = await reader.readexactly(12)
    if version[:4] != b"RFB " or version < VERSION:
        raise NotRfb(f"the screen speaks {version!r}")
    await _say(writer, VERSION)
    offered = await reader.readexactly((await reader.readexactly(1))[0])
    if not offered:
        raise NotRfb(await _reason(reader))
    way = BY_PASSWORD if password and BY_PASSWORD in offered else NONE
    if way not in offered:
        raise NotRfb(f"the screen offers the ways {list(offered)}")
    await _say(writer, bytes([way]))
    if way == BY_PASSWORD:
        await _say(writer, answer(password, await reader.readexactly(16)))
    if await reader.readexactly(4) != OK:
        raise NotRfb(await _reason(reader))


def answer(password: str, challenge: bytes) -> bytes:
    """DES under the first eight characters of the password, with the bits of each byte turned round. DES is what three
    rounds of it with one key are.
    """
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode("latin-1", "replace")[:8].ljust(8, b"\0"))
    des = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()  # noqa: S304, S305 - what the protocol wants
    return des.update(challenge)


async def _reason(reader: Stream) -> str:
    size = int.from_bytes(await reader.readexactly(4), "big")
    return (await reader.readexactly(min(size, LONGEST_REASON))).decode("latin-1")


async def _say(writer: Sink, data: bytes) -> None:
    writer.write(data)
    await writer.drain()
