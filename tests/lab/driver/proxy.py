"""Between a driver and an agent: a wire that can be cut when a request is through and its answer is not."""

import selectors
import socket
import threading
from contextlib import suppress


class Proxy:
    def __init__(self, target, address="127.0.0.1"):
        self._target, self._moment = target, ""
        self._listener = socket.create_server((address, 0))
        self.url = f"http://{address}:{self._listener.getsockname()[1]}"
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, moment):
        """The next request: ``at once`` when the agent has it, or ``with the answer``, which nobody gets; or none."""
        self._moment = moment

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client):
        with client:
            try:
                server = socket.create_connection(self._target, 10)
            except OSError:
                return  # the agent is not there
            server.settimeout(None)
            with server, suppress(OSError):
                self._pass_on(client, server)

    def _pass_on(self, client, server):
        others = {client: server, server: client}
        with selectors.DefaultSelector() as selector:
            for each in others:
                selector.register(each, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(65536)
                    if not data:
                        return
                    if key.fileobj is server and self._moment == "with the answer":
                        self._is_cut()
                        return
                    others[key.fileobj].sendall(data)
                    if key.fileobj is client and self._moment == "at once":
                        self._is_cut()
                        client.close()
                        server.recv(1)  # it has read the request, and answers to nobody
                        return

    def _is_cut(self):
        self._moment = ""
        self.cuts += 1

    def close(self):
        self._listener.close()
