"""Hosts that misbehave during the load: the simulator's own commands, where they are served."""

from tests.chaos.client import Client


def some(root: Client) -> None:
    """A little of everything, on every host: slow, refused, busy, and done but timed out."""


def none(root: Client) -> None:
    """All hosts well again: what is still asked is answered."""
