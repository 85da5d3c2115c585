import base64
import subprocess
import sys

import pytest

from tests.lab.agents import program
from tests.lab.product.site import Site
from tests.lab.tools.hosts import until

HOSTS = ("h3", "h4")  # the first two have agents of another manager
SCRIPT = "#!/bin/sh\necho told by user data >/www/told\n"
ECHO = """
import http.server

class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        said = self.client_address[0].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

http.server.ThreadingHTTPServer(("198.51.100.1", 9000), Echo).serve_forever()
"""


@pytest.fixture(scope="session")
def site(lab):
    """The product with one zone on the hosts of the lab."""
    site = Site(lab)
    lab.up(4)
    try:
        site.up()
        site.build()
        built = program(lab.directory)
        for name in HOSTS:
            site.join(name, built)
        site.store()
        yield site
    finally:
        site.down()


@pytest.fixture(scope="session")
def outside(lab):
    """Somebody on the internet who answers with the address that he sees."""
    subprocess.run(["ip", "-n", lab.inet, "addr", "add", "198.51.100.2/24", "dev", "eth0"], check=True)
    killed = ["setpriv", "--pdeathsig", "KILL"]
    process = subprocess.Popen(
        [*killed, "ip", "netns", "exec", lab.inet, sys.executable, "-c", ECHO], stderr=subprocess.DEVNULL
    )
    words = ["ip", "netns", "exec", lab.inet, "curl", "-s", "http://198.51.100.1:9000/"]
    until(lambda: subprocess.run(words, capture_output=True).returncode == 0, 20, "the echo does not answer")
    yield "http://198.51.100.1:9000/"
    process.kill()
    process.wait()


def settled(site, name, **given):
    """A tenant with one machine behind a port."""
    tenant = site.tenant(name)
    tenant.private_key = tenant.api.call("createSSHKeyPair", name="mine")["keypair"]["privatekey"]
    tenant.net = tenant.network()
    data = base64.b64encode(SCRIPT.encode()).decode()
    tenant.vm = tenant.deploy(tenant.net, name=f"{name}-1", keypair="mine", userdata=data, **given)
    tenant.address = tenant.source_nat(tenant.net)
    tenant.forward(tenant.address, tenant.vm, 8080, 80)
    return tenant


@pytest.fixture(scope="session")
def alice(site):
    return settled(site, "alice")


@pytest.fixture(scope="session")
def bob(site):
    return settled(site, "bob", ipaddress="10.1.1.77")
