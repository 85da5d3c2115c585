"""Dies before each effect in turn, and looks whether the next attempt gets there. Runs on a host of the lab:

    python3 -m tests.lab.tools.crashes ROOT LAYOUT < {"before": DOCUMENT or null, "after": DOCUMENT or null}

``after`` null is a removal. Answers JSON: how many effects there were, and what was wrong after which of them.
"""

import json
import os
import sys
from functools import partial
from pathlib import Path

from agent import state
from agent.net.layout import Layout
from agent.net.tools import Tools
from agent.router import kernel, router
from agent.router.metadata.service import Service
from agent.router.routers import Routers
from agent.router.space import inside
from agent.state import files
from tests.lab.tools.traffic import resolve

EFFECTS = [
    (Tools, "attempt"),
    (Service, "_answer"),
    (files, "replace"),
    (state, "replace"),
    (kernel, "_write"),
    (os, "kill"),
    (Path, "unlink"),
    (router.shutil, "rmtree"),
]


def die_before(number):
    """The effect of this number, counted from one, does not come any more; nor does anything after it."""
    left = [number]

    def counted(effect, *given, **more):
        left[0] -= 1
        if not left[0]:
            os._exit(9)
        return effect(*given, **more)

    for owner, name in EFFECTS:
        effect = getattr(owner, name)
        wrapped = partial(counted, effect)
        setattr(owner, name, partialmethod_of(wrapped) if isinstance(owner, type) else wrapped)


def partialmethod_of(wrapped):
    return lambda self, *given, **more: wrapped(self, *given, **more)


def bring(routers, document, network):
    routers.remove(network) if document is None else routers.apply(document)


def dies(routers, document, network, number):
    """In a process of its own; False if it came to its end."""
    child = os.fork()
    if not child:
        die_before(number)
        bring(routers, document, network)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 9


def seen(routers, document, network):
    """What is there, and what is wrong with it."""
    if document is None:
        leftovers = [str(path) for path in routers.home.root.rglob(f"*{network}*")]
        links = [row["ifname"] for rows in Tools().ask(["link show type veth"]) for row in rows]
        return [*leftovers, *routers.generations(), *filter(routers.home.names.cables().fullmatch, links)]
    found = routers.would_change(document).words()
    where = routers.home.space(network)
    for card in document["dhcp"]:
        answer = resolve(partial(inside, where), document["gateway"], card["name"])
        if answer != [card["ip"]]:
            found.append(f"{card['name']} is {answer}")
    flows = Tools().attempt("conntrack", "-L", space=str(where)).stdout
    return found + [f"a flow of before: {line}" for line in flows.splitlines() if "sport=4242 dport=9999" in line]


def flow(routers, document, network):
    """A connection through a rule that the next document does not have any more."""
    words = ["--src", "198.51.100.77", "--dst", document["public"][0]["ip"], "--proto", "udp", "--sport", "4242"]
    words += ["--dport", "9999", "--timeout", "600", "--dst-nat", "10.1.1.10:99"]
    Tools().run("conntrack", "-I", *words, space=str(routers.home.space(network)))


def main(root, layout):
    given = json.load(sys.stdin)
    before, after = given["before"], given["after"]
    network = (before or after)["network"]
    routers = Routers(Path(root), Layout.read(json.loads(Path(layout).read_text())))
    wrong, number = {}, 0
    while True:
        number += 1
        for each in filter(None, (before, after)):
            each["generation"] += 2
        bring(routers, before, network)
        if before and after:
            flow(routers, before, network)
        if not dies(routers, after, network, number):
            break
        if after is None:
            routers.heal()
        bring(routers, after, network)
        if found := seen(routers, after, network):
            wrong[number] = found
    routers.remove(network)
    print(json.dumps({"effects": number - 1, "wrong": wrong}))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
