"""The conformance program against a server of its own: exit status 1 when a served command does not behave."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.clouds import Cloud

HERE = Path(__file__).resolve().parent
SERVED = 170  # commands of the 2013 era, of 325


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        cloud = Cloud(Path(folder) / "cloud").up()
        try:
            return max(declared(cloud), live(cloud))
        finally:
            cloud.down()


def declared(cloud: Cloud) -> int:
    report = program(cloud)
    served = [name for name, each in report["commands"].items() if each["served"]]
    print(f"{len(served)} commands served, {SERVED} wanted")
    return int(len(served) < SERVED)


def live(cloud: Cloud) -> int:
    user = next(each for each in cloud.told()["users"] if each["role"] == "User")
    report = program(
        cloud, "--live", "--verbose", "--user-api-key", user["apikey"], "--user-secret-key", user["secretkey"]
    )
    wrong = {name: each["problems"] for name, each in report["commands"].items() if each.get("problems")}
    for name, problems in wrong.items():
        print(f"{name}: {'; '.join(problems)}")
    return int(bool(wrong))


def program(cloud: Cloud, *words: str) -> dict:
    told, out = cloud.told(), cloud.folder / "report.json"
    root = told["users"][0]
    keys = ("--api-key", root["apikey"], "--secret-key", root["secretkey"])
    command = [sys.executable, HERE / "tools" / "api-conformance", "--url", told["api"], "--scope", "2013", *keys]
    deviations = ("--deviations", HERE / "reference" / "deviations.json")
    subprocess.run([*map(str, (*command, *deviations, "--out", out)), *words], check=True)
    return json.loads(out.read_text())


if __name__ == "__main__":
    sys.exit(main())
