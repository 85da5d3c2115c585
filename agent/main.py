"""The program's verbs."""

import sys


def main(words: list[str]) -> int:
    if words[:1] == ["fetch"]:
        from agent.storage import fetch  # a program of its own, which loads little

        return fetch.main()
    print("agent: fetch", file=sys.stderr)  # noqa: T201
    return 2
