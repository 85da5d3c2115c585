"""Commands on a host by OpenSSH's client. The password goes by its askpass program, never by an argument."""

import os
import shlex
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from apps.agents.services.files import FILES
from apps.core.errors import InvalidParameter, ResourceUnavailable

CONNECT = 10  # seconds
FAILED = 255  # what the client ends with if it was not the command that failed
ASKPASS = '#!/bin/sh\nprintf "%s\\n" "$CLOUDPORTAL_ASKPASS"\n'
REFUSED = ("Permission denied", "Too many authentication failures")


@dataclass(frozen=True)
class Login:
    host: str
    port: int
    username: str
    password: str


class Shell:
    """Of one host. Commands are lists; what they are given on standard input is in no list of processes."""

    def __init__(self, login: Login, askpass: Path):
        self._login, self._askpass = login, askpass

    def run(self, *words: str, data: bytes = b"", within: float = 60.0, check: bool = True) -> str:
        login = self._login
        asked = shlex.join(words) if login.username == "root" else f"sudo -n {shlex.join(words)}"
        options = {
            "ConnectTimeout": CONNECT,
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": FILES.known_hosts,
            "NumberOfPasswordPrompts": 1,
            "PreferredAuthentications": "password,keyboard-interactive",
            "ControlMaster": "no",
        }
        given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        place = ["-p", str(login.port), "-l", login.username, "--", login.host]
        environment = os.environ | {
            "SSH_ASKPASS": str(self._askpass),
            "SSH_ASKPASS_REQUIRE": "force",
            "CLOUDPORTAL_ASKPASS": login.password,
        }
        try:
            done = subprocess.run(  # noqa: S603 - a list, and what a shell on the host reads is quoted
                ["ssh", "-F", "none", *given, *place, asked],  # noqa: S607
                input=data,
                capture_output=True,
                timeout=within,
                env=environment,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise ResourceUnavailable("url: this server has no ssh program to install a host with") from None
        except subprocess.TimeoutExpired:
            raise ResourceUnavailable(f"url: host {login.host} did not answer within {within:.0f} s") from None
        said = done.stderr.decode(errors="replace").strip()
        if done.returncode == FAILED:
            raise _why(login, said)
        if check and done.returncode:
            raise ResourceUnavailable(f"url: {words[0]} failed on host {login.host}: {said[-300:]}")
        return done.stdout.decode(errors="replace")


def _why(login: Login, said: str) -> Exception:
    if any(words in said for words in REFUSED):
        return InvalidParameter(f"username, password: host {login.host} does not let {login.username} in with them")
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in said:
        return InvalidParameter(f"url: the SSH key of host {login.host} is another one than before")
    return ResourceUnavailable(f"url: host {login.host} cannot be reached by SSH: {said.splitlines()[-1:] or said}")


@contextmanager
def shell(login: Login) -> Iterator[Shell]:
    with tempfile.TemporaryDirectory() as folder:
        askpass = Path(folder) / "askpass"
        askpass.write_text(ASKPASS)
        askpass.chmod(stat.S_IRWXU)
        yield Shell(login, askpass)
