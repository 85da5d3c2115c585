"""A machine that a tenant orders by the API is there, and is what was ordered: seen from outside, and in the guest."""

import json

from tests.lab.product.site import http, named
from tests.lab.tools.hosts import until


def test_a_machine_answers_through_a_port_and_knows_its_name_keys_user_data_and_password(site, lab, alice):
    vm, ip = alice.vm, alice.address["ipaddress"]

    named(lab, f"http://{ip}:8080", "alice-1")
    said = json.loads(http(lab, f"http://{ip}:8080/cgi-bin/status"))

    assert (vm["state"], said["hostname"]) == ("Running", "alice-1")
    assert said["nics"]["eth0"]["ip"].partition("/")[0] == vm["nic"][0]["ipaddress"]
    assert said["meta"]["instance-id"] == vm["id"]
    assert http(lab, f"http://{ip}:8080/told") == "told by user data\n"
    host = site.on(vm)
    assert host.guest(vm["id"], "cat /root/.ssh/authorized_keys").split()[:2] == site.public_of(alice.private_key)
    kept = host.guest(vm["id"], "grep ^root: /etc/shadow | cut -d: -f2").strip()
    made = f"mkpasswd -m sha512 -S {kept.split('$')[2]} '{vm['password']}'"
    assert host.guest(vm["id"], made).strip() == kept


def test_the_product_forgets_a_password_that_the_machine_has_fetched_and_tells_who_has_the_key(site, alice):
    kept = "select password from machines_virtualmachine where password <> '' and name = 'alice-1'"
    until(lambda: site.rows(kept) == [], 90, "the password is kept")

    said = alice.api.call("getVMPassword", id=alice.vm["id"])["password"]["encryptedpassword"]

    assert site.decrypted(said, alice.private_key) == alice.vm["password"]
