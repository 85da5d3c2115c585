"""A small iSCSI initiator (RFC 7143): to ask a target what units it has, and to read and change single blocks of them
in one step that no other host can come between. The bytes of disks are QEMU's business.
"""

import os
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

from agent.http.errors import Busy, Refused

TIMEOUT = 10.0
NOP_OUT, COMMAND, LOGIN, DATA_OUT, LOGOUT = 0x00, 0x01, 0x03, 0x05, 0x06
NOP_IN, RESPONSE, LOGIN_ANSWER, DATA_IN, R2T, REJECT = 0x20, 0x21, 0x23, 0x25, 0x31, 0x3F
IMMEDIATE, FINAL, READ, WRITE = 0x40, 0x80, 0x40, 0x20
GOOD, CHECK, CONFLICT = 0x00, 0x02, 0x18
ILLEGAL, UNIT_ATTENTION, MISCOMPARE = 0x05, 0x06, 0x0E
TRIES, PAUSE = 40, 0.05  # with units that others are at
DISK = 0x00  # type of a unit
MOST = 1 << 20
LOGIN_ERRORS = {0x0201: "user or password is wrong", 0x0202: "not for this host", 0x0203: "there is no such target"}


@dataclass(frozen=True)
class Target:
    host: str
    port: int
    name: str
    initiator: str
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Target({self.host}:{self.port}/{self.name})"


class ScsiError(Exception):
    def __init__(self, status: int, key: int = 0, code: int = 0):
        super().__init__(f"status {status:#04x}, sense {key:#03x}/{code:#06x}")
        self.status, self.key = status, key


@dataclass(frozen=True)
class Capacity:
    blocks: int
    block_size: int


class Session:
    """Logged in to a target. For one thread, for a short time."""

    def __init__(self, target: Target):
        self.target = target
        self._task, self._command, self._status = 0, 1, 0
        self._isid = b"\x80" + os.urandom(5)  # a session of its own
        try:
            self._socket = socket.create_connection((target.host, target.port), TIMEOUT)
        except OSError as error:
            raise Busy(f"{target!r} cannot be reached: {error}") from error
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._stream = self._socket.makefile("rb")
            self._log_in()
        except BaseException as error:
            self._socket.close()
            if isinstance(error, OSError):
                raise Busy(f"{target!r} does not answer: {error}") from error
            raise

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: Any) -> None:
        try:
            self._send(LOGOUT | IMMEDIATE, FINAL, struct.pack(">8xIHxxII", 0, 0, self._command, self._status))
        except OSError:
            pass  # then it is out as well
        finally:
            self._socket.close()

    # -- log in

    def _log_in(self) -> None:
        target = self.target
        first = {"InitiatorName": target.initiator, "SessionType": "Normal", "TargetName": target.name}
        answer = self._negotiate(0, first | {"AuthMethod": "CHAP" if target.user else "None"})
        if target.user:
            if answer.get("AuthMethod") != "CHAP":
                raise Refused(f"{target!r} does not ask for a password")
            answer = self._negotiate(0, {"CHAP_A": "5"})
            answer = self._negotiate(0, self._answer_to(answer), go_on=True)
        elif answer.get("AuthMethod", "None") != "None":
            raise Refused(f"{target!r} wants a user and a password")
        else:
            self._negotiate(0, {}, go_on=True)
        keys = {"HeaderDigest": "None", "DataDigest": "None", "MaxRecvDataSegmentLength": "262144"}
        bursts = {"InitialR2T": "No", "ImmediateData": "Yes", "MaxBurstLength": "262144", "FirstBurstLength": "65536"}
        more = {"MaxOutstandingR2T": "1", "MaxConnections": "1", "ErrorRecoveryLevel": "0"}
        times = {"DefaultTime2Wait": "0", "DefaultTime2Retain": "0"}
        said = self._negotiate(1, keys | bursts | more | times, go_on=True)
        self._immediate = said.get("ImmediateData", "Yes") == "Yes"

    def _answer_to(self, challenge: dict[str, str]) -> dict[str, str]:
        try:
            number, text = int(challenge["CHAP_I"], 0), challenge["CHAP_C"]
            if challenge["CHAP_A"] != "5" or not text.lower().startswith("0x"):
                raise ValueError(text)
            asked = bytes.fromhex(text[2:])
        except (KeyError, ValueError):
            raise Refused(f"{self.target!r} asks for a password in a way that is not known") from None
        import hashlib  # for targets with a password only

        data = bytes([number & 255]) + self.target.password.encode() + asked
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()  # as CHAP is
        return {"CHAP_N": self.target.user, "CHAP_R": f"0x{digest}"}

    def _negotiate(self, stage: int, keys: dict[str, str], go_on: bool = False) -> dict[str, str]:
        flags = stage << 2 | (FINAL | (1 if stage == 0 else 3) if go_on else 0)
        data = b"".join(f"{name}={value}\0".encode() for name, value in keys.items())
        rest = struct.pack(">6sHIHxxII", self._isid, 0, 1, 0, self._command, self._status)
        self._send(LOGIN | IMMEDIATE, flags, rest, data)
        head, data = self._receive()
        if head[0] & 0x3F != LOGIN_ANSWER:
            raise Refused(f"{self.target!r} is no iSCSI target")
        self._status = struct.unpack_from(">I", head, 24)[0] + 1
        if code := struct.unpack_from(">H", head, 36)[0]:
            raise Refused(f"{self.target!r}: {LOGIN_ERRORS.get(code, f'login refused with {code:#06x}')}")
        pairs = (text.partition("=") for text in data.decode(errors="replace").split("\0") if text)
        return {name: value for name, _, value in pairs}

    # -- what is asked of units

    def units(self) -> list[int]:
        """Numbers of those that are disks."""
        data = self._scsi(0, struct.pack(">BxBxxxIxx", 0xA0, 0, 65536), read=65536)
        size = struct.unpack_from(">I", data)[0]
        numbers = [_number(data[at : at + 8]) for at in range(8, min(8 + size, len(data) - 7), 8)]
        return sorted(number for number in numbers if self._type(number) == DISK)

    def _type(self, unit: int) -> int:
        return self._scsi(unit, struct.pack(">BxxHx", 0x12, 36), read=36)[0]

    def capacity(self, unit: int) -> Capacity:
        data = self._scsi(unit, struct.pack(">BB8xIxx", 0x9E, 0x10, 32), read=32)
        last, size = struct.unpack_from(">QI", data)
        return Capacity(last + 1, size)

    def read(self, unit: int, block: int, size: int, count: int = 1) -> bytes:
        """Blocks of ``size`` bytes."""
        return self._scsi(unit, struct.pack(">BxQIxx", 0x88, block, count), read=size * count)

    def exchange(self, unit: int, block: int, old: bytes, new: bytes) -> bool:
        """Write ``new`` if the block still holds ``old``, in one step; False if it holds something else."""
        try:
            self._scsi(unit, struct.pack(">BxQxxxBxx", 0x89, block, 1), write=old + new)
        except ScsiError as error:
            if error.key == ILLEGAL:
                return self._exchange_reserved(unit, block, old, new)
            if error.key == MISCOMPARE:
                return False
            raise Refused(f"{self.target!r}: unit {unit} cannot be written: {error}") from error
        return True

    def _exchange_reserved(self, unit: int, block: int, old: bytes, new: bytes) -> bool:
        """For targets that cannot compare and write: while the unit is ours alone. It is free again when this session
        ends, however it ends.
        """
        try:
            self._scsi(unit, bytes([0x16, 0, 0, 0, 0, 0]))
            if self.read(unit, block, len(old)) != old:
                return False
            self._scsi(unit, struct.pack(">BxQIxx", 0x8A, block, 1), write=new)
            return True
        except ScsiError as error:
            raise Refused(f"{self.target!r}: unit {unit} cannot be changed by one host alone: {error}") from error
        finally:
            self._scsi(unit, bytes([0x17, 0, 0, 0, 0, 0]))

    # -- commands

    def _scsi(self, unit: int, command: bytes, read: int = 0, write: bytes = b"") -> bytes:
        for _ in range(TRIES):
            try:
                return self._once(unit, command, read, write)
            except ScsiError as error:
                if error.status == CONFLICT:  # another host changes a block: that takes milliseconds
                    time.sleep(PAUSE)
                elif error.key != UNIT_ATTENTION:  # it has news for us, and wants to be asked again
                    raise
            except OSError as error:
                raise Busy(f"{self.target!r} does not answer: {error}") from error
        raise Busy(f"{self.target!r}: unit {unit} is kept busy by others")

    def _once(self, unit: int, command: bytes, read: int, write: bytes) -> bytes:
        task = self._task = self._task + 1
        size = struct.pack(">I", read or len(write))
        numbers = struct.pack(">II", self._command, self._status)
        rest = _address(unit) + struct.pack(">I", task) + size + numbers + command.ljust(16, b"\0")
        flags = FINAL | 1 | (READ if read else 0) | (WRITE if write else 0)
        self._send(COMMAND, flags, rest, write if self._immediate else b"")
        self._command += 1
        return self._outcome(unit, read, write)

    def _outcome(self, unit: int, read: int, write: bytes) -> bytes:
        found = bytearray()
        while True:
            head, data = self._receive()
            kind = head[0] & 0x3F
            if kind == DATA_IN:
                at = struct.unpack_from(">I", head, 40)[0]
                found[at : at + len(data)] = data
                if head[1] & 1:
                    return self._ended(head, head[3], b"", bytes(found))
            elif kind == R2T:
                self._data_out(unit, head, write)
            elif kind == RESPONSE:
                return self._ended(head, head[3], data, bytes(found))
            elif kind == NOP_IN:
                self._alive(head)
            else:
                raise Refused(f"{self.target!r} answers what was not asked ({kind:#x})")

    def _ended(self, head: bytes, status: int, data: bytes, found: bytes) -> bytes:
        self._status = struct.unpack_from(">I", head, 24)[0] + 1
        if status == GOOD:
            return found
        sense = data[2:]
        # fixed format, or descriptors
        key = (sense[1] if sense[0] & 0x7F in (0x72, 0x73) else sense[2]) & 0x0F if len(sense) > 13 else 0
        raise ScsiError(status, key, struct.unpack_from(">H", sense, 12)[0] if len(sense) > 13 else 0)

    def _data_out(self, unit: int, head: bytes, write: bytes) -> None:
        task, transfer = head[16:20], head[20:24]
        at, size = struct.unpack_from(">II", head, 40)
        rest = _address(unit) + task + transfer + struct.pack(">4xI4xII", self._status, 0, at)
        self._send(DATA_OUT, FINAL, rest, write[at : at + size])

    def _alive(self, head: bytes) -> None:
        if head[20:24] != b"\xff\xff\xff\xff":
            rest = head[8:16] + b"\xff\xff\xff\xff" + head[20:24] + struct.pack(">II", self._command, self._status)
            self._send(NOP_OUT | IMMEDIATE, FINAL, rest)

    # -- messages

    def _send(self, kind: int, flags: int, rest: bytes, data: bytes = b"") -> None:
        """``rest`` is the head from its 8th byte on."""
        head = struct.pack(">BBxxI", kind, flags, len(data)) + rest.ljust(40, b"\0")
        self._socket.sendall(head + data + b"\0" * (-len(data) % 4))

    def _receive(self) -> tuple[bytes, bytes]:
        head = self._exactly(48)
        size = struct.unpack_from(">I", head, 4)[0] & 0xFFFFFF
        if size > MOST:
            raise Refused(f"{self.target!r} answers with too much")
        extra = head[4] * 4
        data = self._exactly(extra + (size + 3) // 4 * 4)[extra : extra + size]
        return head, data

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) != size:
            raise ConnectionError("the target has closed the connection")
        return data


def _address(unit: int) -> bytes:
    return struct.pack(">H6x", unit if unit < 256 else 0x4000 | unit)


def _number(address: bytes) -> int:
    return int(struct.unpack_from(">H", address)[0] & 0x3FFF)
