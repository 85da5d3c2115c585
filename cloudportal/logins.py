"""Who can log in to a cloud that `portal up` made: kept for its owner, told to scripts by ``endpoint.json``."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from cloudportal.installation import Installation, write_private


@dataclass(frozen=True)
class Login:
    domain: str
    account: str
    username: str
    password: str
    role: str
    apikey: str
    secretkey: str


def read(installation: Installation) -> list[Login]:
    path = installation.folder / "logins.json"
    return [Login(**each) for each in json.loads(path.read_text())] if path.exists() else []


def keep(installation: Installation, logins: list[Login]) -> None:
    write_private(installation.folder / "logins.json", _text([asdict(each) for each in logins]))


def announce(installation: Installation, url: str) -> None:
    users = [asdict(each) for each in read(installation)]
    write_private(installation.endpoint, _text({"url": url, "api": f"{url}/client/api", "users": users}))


def _text(content: Any) -> str:
    return json.dumps(content, indent=1) + "\n"
