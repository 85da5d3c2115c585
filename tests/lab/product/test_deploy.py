"""A machine that a tenant orders by the API is there, and is what was ordered: seen from outside, and in the guest."""

import base64
import json

from tests.lab.product.site import http

SCRIPT = "#!/bin/sh\necho told by user data >/www/told\n"


def test_a_machine_answers_through_a_port_and_knows_its_name_keys_user_data_and_password(site, lab):
    alice = site.tenant("alice")
    key = alice.api.call("createSSHKeyPair", name="mine")["keypair"]
    network = alice.network()

    vm = alice.deploy(network, name="web-1", keypair="mine", userdata=base64.b64encode(SCRIPT.encode()).decode())
    address = alice.source_nat(network)
    alice.forward(address, vm, 8080, 80)

    said = json.loads(http(lab, f"http://{address['ipaddress']}:8080/cgi-bin/status"))
    assert (vm["state"], said["hostname"]) == ("Running", "web-1")
    assert said["nics"]["eth0"]["ip"].partition("/")[0] == vm["nic"][0]["ipaddress"]
    assert said["meta"]["instance-id"] == vm["id"]
    host = site.on(vm)
    public = host.guest(vm["id"], "cat /root/.ssh/authorized_keys").strip()
    assert public.split()[:2] == site.public_of(key["privatekey"])
    assert http(lab, f"http://{address['ipaddress']}:8080/told") == "told by user data\n"
    salt = host.guest(vm["id"], "grep ^root: /etc/shadow | cut -d: -f2").strip()
    made = f"mkpasswd -m sha512 -S {salt.split('$')[2]} '{vm['password']}'"
    assert host.guest(vm["id"], made).strip() == salt
