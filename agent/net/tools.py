"""Running programs: by lists, never through a shell, with an end."""

import json
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agent.state.errors import Failed

NEVER = 3600.0
NOT_FOUND = 127  # says nsenter


@dataclass(frozen=True)
class Tools:
    """``lock`` is a descriptor that each program inherits: the lock is held as long as one of them lives, even if the
    agent was killed. ``until`` is when the call must have ended (monotonic).
    """

    lock: int | None = None
    until: float = float("inf")

    def run(self, *words: str, stdin: str = "", space: str = "") -> str:
        """What the program wrote; in the network namespace ``space`` (a path) if given."""
        done = self.attempt(*words, stdin=stdin, space=space)
        if done.returncode:
            raise Failed(f"{words[0]}: {_reason(done)}")
        return done.stdout

    def attempt(self, *words: str, stdin: str = "", space: str = "") -> subprocess.CompletedProcess[str]:
        """The same for a program whose refusal is an answer."""
        command = ["nsenter", f"--net={space}", "--", *words] if space else list(words)
        try:
            done = subprocess.run(  # noqa: S603 - a list; what tenants typed was checked when the document was read
                command,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=self.left(),
                pass_fds=() if self.lock is None else (self.lock,),
            )
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{words[0]}: not done in time") from error
        except FileNotFoundError as error:
            raise Failed(f"{command[0]}: there is no such program on this host") from error
        if done.returncode == NOT_FOUND:
            raise Failed(f"{words[0]}: there is no such program on this host")
        return done

    def batch(self, program: str, lines: Iterable[str], space: str = "") -> None:
        """Lines for ``ip`` or ``bridge``, in one process."""
        if text := "".join(f"{line}\n" for line in lines):
            self.run(program, "-batch", "-", stdin=text, space=space)

    def force(self, lines: Iterable[str], space: str = "") -> str:
        """Each line for ``ip`` that can be done; what was wrong with the first one that could not."""
        text = "".join(f"{line}\n" for line in lines)
        if not text:
            return ""
        words = ("ip", *(("-n", space) if space else ()), "-force", "-batch", "-")
        done = self.attempt(*words, stdin=text)
        return _reason(done) if done.returncode or done.stderr else ""

    def ask(self, lines: Iterable[str], space: str = "") -> list[list[dict[str, Any]]]:
        """What ``ip`` says to each line, here or in the namespace of this name; nothing to a line about what is not
        there.
        """
        words = ("ip", "-j", "-d", *(("-n", space) if space else ()), "-force", "-batch", "-")
        done = self.attempt(*words, stdin="".join(f"{line}\n" for line in lines))
        return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]

    def left(self) -> float:
        left = min(self.until - time.monotonic(), NEVER)
        if left <= 0:
            raise Failed("the time for this call is over")
        return left


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[0] if lines else f"it ended with status {done.returncode}"
