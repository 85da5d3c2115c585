"""The names of events and alerts that this protocol knows."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class AlertKind:
    name: str
    number: int
    repeats: bool  # may be raised again while an earlier one is open


# Some numbers are used twice: the name is what counts.
ALERTS = {entry["name"]: AlertKind(**entry) for entry in json.loads((DATA / "alerts.json").read_text())}


@cache
def event_types() -> tuple[str, ...]:
    return tuple((DATA / "types.txt").read_text().split())
