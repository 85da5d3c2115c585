"""The process that stays: as little as can be is loaded into it. The verb ``run`` becomes this."""

import os
import signal
import sys
import threading
from pathlib import Path

from agent.http.errors import AgentError
from agent.http.log import Log
from agent.memory import EVERY, Spare
from agent.pace import Pace
from agent.service import Service


def main(state: str, listen: str, port: str, libvirt: str, keep: str, look: str) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        pace = Pace(float(keep), float(look))
        service = Service(Path(state), (listen, int(port)), libvirt, pace, stop)
    except AgentError as error:
        Log()("not started", error=str(error))
        return 1
    spare = Spare()
    spare.give_back()
    service.start()
    while not stop.wait(EVERY):
        spare.give_back()
    service.end()
    os._exit(0)  # the thread of libvirt's events never ends


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
