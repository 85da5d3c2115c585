"""What libvirt is told is what libvirt's schema allows, for all hypervisors that the same code drives."""

import subprocess

import pytest

from agent.host import domain_xml as dx
from tests.agent.host.test_domain_xml import machine


@pytest.mark.parametrize("flavour", [dx.KVM, dx.TCG, dx.XEN], ids=lambda flavour: flavour.type)
def test_a_machine_is_valid(flavour, tmp_path):
    path = tmp_path / "domain.xml"
    path.write_text(dx.domain(machine(), flavour))

    done = subprocess.run(["virt-xml-validate", str(path), "domain"], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
