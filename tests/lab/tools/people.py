#!/usr/bin/python3
"""`./portal lab`: the lab for people. Prints what it made, and `down` leaves nothing."""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.lab.tools.hosts import Lab, LabError, run  # noqa: E402
from tests.lab.tools.image import guest_image  # noqa: E402


def up(lab: Lab, number: int) -> None:
    for name in lab.up(number):
        if run("pgrep", "-f", f"sshd -f {lab.directory / name}/ssh/conf", check=False).returncode:
            lab.ssh(name)
        print(f"{name}: http://{lab.address(name)}, guest network {lab.address(name, 'guest')} on eth2, public on eth1")
    image = lab.directory / "srv" / "source" / "tiny.qcow2"
    image.parent.mkdir(exist_ok=True)
    shutil.copy(guest_image(), image)
    print(f"the internet of the lab: ip netns exec {lab.inet} curl http://{lab.ranges.public[100]}")
    print(f"files: {lab.directory}, image: {image}")
    print("the product on it: ./portal up --lab; when done: ./portal lab down")


def main(words: list[str]) -> int:
    lab = Lab("lab")
    try:
        if words[0] == "up":
            up(lab, int(words[1]))
        elif words[0] == "down":
            lab.down()
        else:
            for name in lab.hosts():
                print(f"{name}: {'up' if lab.is_up(name) else 'down'}, {lab.address(name)}")
    except LabError as error:
        print(f"portal lab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
