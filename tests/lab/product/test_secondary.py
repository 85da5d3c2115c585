"""Secondary storage on NFS, which the product's processes do not mount: hosts fill it, and machines come from there."""

import gzip
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.lab.product.site import named
from tests.lab.tools.hosts import until


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Nothing."""


@pytest.fixture
def shop(site):
    """Where a packed image can be had; hosts and the product reach it."""
    folder = site.lab.directory / "shop"
    folder.mkdir(exist_ok=True)
    (folder / "tiny.qcow2.gz").write_bytes(gzip.compress((site.srv / "source" / "tiny.qcow2").read_bytes(), 1))
    server = ThreadingHTTPServer((str(site.lab.ranges.management[1]), 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    allowed = {"name": "secstorage.allowed.internal.sites", "value": str(site.lab.ranges.management)}
    site.root.call("updateConfiguration", **allowed)
    yield f"http://{server.server_address[0]}:{server.server_port}"
    server.shutdown()


@pytest.fixture
def images(site, store):
    """NFS, where new templates go for as long as a test takes."""
    folder = store.exported.parent / "images"
    folder.mkdir(exist_ok=True)
    before = site.root.list("listImageStores", "imagestore", zoneid=site.zone)[0]["id"]
    site.root.call("updateImageStore", id=before, readonly="true")
    url = store.nfs.replace("/pool", "/images")
    added = site.root.call("addImageStore", provider="NFS", url=url, zoneid=site.zone)["imagestore"]["id"]
    yield lambda: {path.name: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    site.root.call("deleteImageStore", id=added)
    site.root.call("updateImageStore", id=before, readonly="false")


def ready(alice, template):
    which = {"templatefilter": "self", "id": template}
    found = alice.api.list("listTemplates", "template", **which)[0]
    assert found["isready"] or "ownload" in found["status"] or found["status"] == "Processing", found["status"]
    return found["isready"]


def test_a_host_brings_a_packed_template_and_a_machine_comes_from_it(site, lab, alice, shop, images):
    what = {"name": "packed", "displaytext": "packed", "format": "QCOW2", "hypervisor": "KVM", "zoneid": site.zone}
    os_type = site.root.list("listOsTypes", "ostype", description="Other Linux (64-bit)")[0]["id"]
    given = what | {"url": f"{shop}/tiny.qcow2.gz", "ostypeid": os_type}
    template = alice.api.call("registerTemplate", **given)["template"][0]["id"]
    until(lambda: ready(alice, template), 180, "the template does not come")
    assert list(images().values()) == [(site.srv / "source" / "tiny.qcow2").stat().st_size]

    vm = alice.deploy(alice.net, name="from-nfs", templateid=template)
    alice.forward(alice.address, vm, 8095, 80)

    named(lab, f"http://{alice.address['ipaddress']}:8095", "from-nfs")
    alice.api.call("destroyVirtualMachine", id=vm["id"])
    site.root.call("expungeVirtualMachine", id=vm["id"])
    alice.api.call("deleteTemplate", id=template)
    assert images() == {}
