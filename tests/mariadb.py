"""A MariaDB for one run: its own directory and socket, no network, thrown away at the end."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 60.0


class MariaDB:
    def __init__(self, folder: Path, *options: str):
        self.folder, self.socket, self.options = folder, folder / "s.sock", options
        self.process: subprocess.Popen[bytes] | None = None
        self.user = "mysql" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name

    def url(self, name: str = "cloud") -> str:
        return f"mysql://root@/{name}?unix_socket={self.socket}"

    def install(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.folder, self.user)
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", f"--user={self.user}", f"--datadir={self.folder}/data",
             "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True, capture_output=True,
        )  # fmt: skip

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            ["mariadbd", "--no-defaults", f"--user={self.user}", f"--datadir={self.folder}/data",
             f"--socket={self.socket}", f"--pid-file={self.folder}/pid", "--skip-networking",
             "--character-set-server=utf8mb4", "--innodb-buffer-pool-size=512M",
             "--innodb-flush-log-at-trx-commit=0", *self.options],
            stdout=log, stderr=log,
        )  # fmt: skip
        end = time.monotonic() + PATIENCE
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"MariaDB did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def answers(self) -> bool:
        return self.sql("select 1").returncode == 0

    def sql(self, statement: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["mariadb", "--no-defaults", "-uroot", "-S", self.socket, "-e", statement], capture_output=True
        )

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(PATIENCE)


@contextmanager
def running(*options: str) -> Iterator[MariaDB]:
    folder = Path(tempfile.mkdtemp(prefix="mariadb-"))
    server = MariaDB(folder, *options)
    try:
        server.install()
        server.start()
        server.sql("create database cloud")
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
