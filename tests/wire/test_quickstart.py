"""The scripts of docs/quickstart.md, exactly as they stand there, on an empty installation."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clouds import CODE, Cloud

SCRIPTS = re.findall(r"^```sh\n(.*?)^```$", (CODE / "docs" / "quickstart.md").read_text(), re.MULTILINE | re.DOTALL)
BEFORE, ADVANCED, BASIC = SCRIPTS
PATIENCE = 240


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    cloud = Cloud(tmp_path_factory.mktemp("cloud")).up("--no-demo")
    yield cloud
    cloud.down()


def run(cloud, *scripts):
    """In a shell that stops at the first call that fails; what it printed."""
    bin_ = Path(sys.executable).parent
    environment = os.environ | {"CLOUD": str(cloud.folder), "PATH": f"{bin_}:{os.environ['PATH']}"}
    done = subprocess.run(
        [shutil.which("bash"), "-euo", "pipefail", "-c", "\n".join((BEFORE, *scripts))],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("script", "said"), [(ADVANCED, "zone Z1 is ready"), (BASIC, "zone B1 is ready")])
def test_the_script_of_the_page_ends_with_a_zone_that_is_ready(cloud, script, said):
    assert said in run(cloud, script)


def test_a_machine_is_deployed_into_each_zone(cloud):
    deploy = """
        template=$(cs listTemplates templatefilter=featured | pick template.0.id)
        offering=$(cs listServiceOfferings name='Small Instance' | pick serviceoffering.0.id)
        for name in Z1 B1; do
            zone=$(cs listZones name=$name | pick zone.0.id)
            cs deployVirtualMachine zoneid=$zone templateid=$template serviceofferingid=$offering \\
                | pick virtualmachine.state
        done
    """

    assert run(cloud, deploy).split() == ["Running", "Running"]
