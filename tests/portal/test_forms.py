"""Forms from the parameters of commands."""

import re

import pytest

import apps.portal.urls  # noqa: F401 - declares every form and kind
from apps.accounts.models import SshKeyPair
from apps.core.commands import REGISTRY
from apps.core.errors import CloudError
from apps.core.refs import wire_names
from apps.portal.compute.kinds import MACHINE
from apps.portal.frame import calls
from apps.portal.frame.fields import about
from apps.portal.frame.forms import FORMS, Form
from apps.portal.kinds import KINDS
from apps.portal.models import Begun, SentForm
from apps.storage.models import Volume
from tests.portal.conftest import field, hidden, text


@pytest.mark.parametrize("form", FORMS.values(), ids=lambda f: f.command)
def test_what_a_form_names_are_parameters(form):
    spec = REGISTRY[form.command]
    names = {*form.first, *(form.folded or ()), *form.labels, *form.hints, *form.nothings}
    known = {name for n, f in spec.fields.items() for name, _ in wire_names(n, f)}
    optional = {"volumeids", "virtualmachineid", "diskofferingid", "shrinkok", "expunge"}  # of rooms that are growing

    assert names - known - optional == set()


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda k: k.label)
def test_actions_of_a_kind_are_commands_that_take_it(kind):
    for action in kind.actions:
        if (spec := REGISTRY.get(action.command)) is None:
            continue
        known = {name for n, f in spec.fields.items() for name, _ in wire_names(n, f)}
        row = {kind.key: "x", "state": "x", "virtualmachineid": "y", "id": "x", "domainid": "z", "name": "n"}
        given = action.params(kind, row)
        assert given, action.command
        assert set(given) <= known, action.command


@pytest.mark.parametrize("name", [name for name, spec in REGISTRY.items() if spec.cls.changes])
def test_every_command_has_a_form_that_can_be_looked_at(browser, make, name):
    answer = browser(make.root()).get(f"/do/{name}")

    assert answer.status_code == 200, text(answer)[:300]
    assert f'action="/do/{name}"' in text(answer)


def test_fields_are_the_parameters_with_their_hints(browser, alice, make):
    make.zone()

    page = browser(alice).page("/do/createVolume")

    assert re.search(r'<input class="form-control" id="f-name" name="name" type="text"', page)
    assert '<select class="form-select" id="f-zoneid" name="zoneid"' in page
    assert f'<option value="{make.zone().uuid}">z1</option>' in page
    assert re.search(r'id="f-size" name="size" type="number"[^>]* min="1"', page)
    assert "customjobid" not in page
    assert "projectid" not in page


def test_parameters_of_administrators_are_asked_of_them_only(browser, alice, make):
    vm = make.vm(alice.account)

    assert "hostid" not in browser(alice).page(f"/do/startVirtualMachine?id={vm.uuid}")
    assert 'name="hostid"' in browser(make.root()).page(f"/do/startVirtualMachine?id={vm.uuid}")


def test_a_form_is_sent_and_leads_to_its_job(browser, alice, make):
    visitor = browser(alice)

    answer = visitor.send("/do/createVolume", name="data", size="5", zoneid=str(make.zone().uuid))

    volume = Volume.all_tenants.get()
    assert (volume.name, volume.size) == ("data", 5 << 30)
    begun = Begun.objects.get()
    assert answer["Location"].startswith(f"/jobs/{begun.job}?next=")


def test_a_form_that_is_sent_twice_makes_one_row_and_leads_to_the_same(browser, alice, make):
    visitor = browser(alice)
    page = visitor.page("/do/createVolume")
    sent = {"_token": field(page, "_token"), **hidden(page), "name": "x", "size": "5", "zoneid": str(make.zone().uuid)}

    first, second = visitor.post("/do/createVolume", sent), visitor.post("/do/createVolume", sent)

    assert second["Location"] == first["Location"]
    assert Volume.all_tenants.count() == 1
    assert "This form was sent before" in text(visitor.get(second["Location"]))


def test_a_token_is_of_one_user_and_cannot_be_made_up(browser, alice, make):
    other = browser(make.caller("bob"))
    stolen = field(other.page("/do/createVolume"), "_token")
    visitor = browser(alice)
    sent = {"name": "x", "size": "5", "zoneid": str(make.zone().uuid)}

    for token in (stolen, "made up", ""):
        answer = visitor.post("/do/createVolume", {"_token": token, **sent})
        assert answer.status_code == 422
        assert "Nothing was sent" in text(answer)

    assert Volume.all_tenants.count() == 0


def test_an_error_stands_at_its_field_and_nothing_is_lost(browser, alice, make):
    visitor = browser(alice)

    answer = visitor.send("/do/createVolume", name="data", size="abc", zoneid=str(make.zone().uuid))

    page = text(answer)
    assert answer.status_code == 422
    assert re.search(r'<input[^>]* id="f-size"[^>]* aria-invalid="true"', page)
    assert "invalid value abc for parameter size" in page
    assert re.search(r'id="f-name"[^>]* value="data"', page)
    assert f'<option value="{make.zone().uuid}" selected>' in page
    assert Volume.all_tenants.count() == 0
    assert not SentForm.objects.exists()  # it may be sent again


def test_what_is_needed_is_asked_for_before_anything_is_sent(browser, alice):
    answer = browser(alice).send("/do/createSSHKeyPair", name="")

    assert answer.status_code == 422
    assert "This is needed" in text(answer)
    assert Begun.objects.count() == 0


def test_a_refusal_without_a_field_is_said_above(browser, alice, make):
    visitor = browser(alice)
    visitor.send("/do/createSSHKeyPair", name="ops")

    answer = visitor.send("/do/createSSHKeyPair", name="ops")

    assert answer.status_code == 422
    assert "ops" in text(answer)
    assert "Nothing was changed" in text(answer) or "aria-invalid" in text(answer)
    assert SshKeyPair.all_tenants.count() == 1


def test_a_private_key_is_shown_once(browser, alice):
    visitor = browser(alice)
    page = visitor.page("/do/createSSHKeyPair")
    sent = {"_token": field(page, "_token"), **hidden(page), "name": "ops"}

    first, second = visitor.post("/do/createSSHKeyPair", sent), visitor.post("/do/createSSHKeyPair", sent)

    assert first.status_code == 200
    assert "PRIVATE KEY-----" in text(first)
    assert "This is shown once" in text(first)
    assert second["Location"] == "/key-pairs"
    assert "PRIVATE" not in visitor.page("/key-pairs")
    assert "PRIVATE" not in str(list(Begun.objects.values()))


def test_what_goes_has_to_be_typed_by_name(browser, alice, make):
    vm = make.vm(alice.account, name="web-01", state="Stopped")
    visitor = browser(alice)
    path = f"/do/destroyVirtualMachine?id={vm.uuid}"

    wrong = visitor.send(path, _typed="web-02")
    assert wrong.status_code == 422
    assert "Type web-01 as it is written above" in text(wrong)
    assert Begun.objects.count() == 0
    visitor.send(path, _typed="web-01")
    assert Begun.objects.get().command == "destroyVirtualMachine"


def test_what_is_lost_and_what_is_kept_is_named(browser, running, make):
    from apps.machines.models import Attachment

    disk = make.volume(running.caller.account, name="ROOT-1", kind="ROOT", state="Ready")
    Attachment.objects.create(volume=disk, vm=running.vm, device_id=0)
    Attachment.objects.create(volume=running.volume, vm=running.vm, device_id=1)

    page = browser(running.caller).page(f"/do/destroyVirtualMachine?id={running.vm.uuid}")

    assert "Root disk ROOT-1, 1 GiB" in page
    assert "Volume vol, 1 GiB, detached, unless you tick it" in page
    assert "Destroy vm</button>" in page


def test_a_form_about_a_state_that_changed_says_so_and_sends_nothing(browser, alice, make):
    vm = make.vm(alice.account, state="Stopped")
    visitor = browser(alice)
    path = f"/do/changeServiceForVirtualMachine?id={vm.uuid}"
    page = visitor.page(path)
    type(vm).all_tenants.filter(pk=vm.pk).kernel_update(state="Running")

    answer = visitor.post(
        path.partition("?")[0],
        {"_token": field(page, "_token"), **hidden(page), "serviceofferingid": str(make.offering().uuid)},
    )

    assert answer.status_code == 422
    assert "is not possible: it is Running. Nothing was sent." in text(answer)
    assert Begun.objects.count() == 0


def test_an_edit_sends_only_what_was_changed(browser, alice, make, monkeypatch):
    from apps.core import dispatch

    vm = make.vm(alice.account, name="web-01", display_name="Web")
    sent, call = [], dispatch.call
    monkeypatch.setattr(dispatch, "call", lambda c, n, **given: sent.append((n, given)) or call(c, n, **given))
    visitor = browser(alice)

    visitor.send(
        f"/do/updateVirtualMachine?id={vm.uuid}",
        displayname="Web one",
        name="web-01",
        _checks=["haenable", "deleteprotection", "isdynamicallyscalable"],
        deleteprotection="true",
    )

    (given,) = [given for name, given in sent if name == "updateVirtualMachine"]
    assert given == {"id": str(vm.uuid), "displayname": "Web one", "deleteprotection": "true"}


def test_choices_are_narrowed_to_what_fits(browser, alice, make):
    from apps.infrastructure.models import Zone

    make.zone()
    (other := Zone(name="z2", allocation_state="Enabled")).save()
    near, far = make.vm(alice.account, name="near"), make.vm(alice.account, name="far", zone=other)
    volume = make.volume(alice.account)

    page = browser(alice).page(f"/do/attachVolume?id={volume.uuid}")

    assert f'<option value="{near.uuid}">near</option>' in page
    assert str(far.uuid) not in page


@pytest.mark.parametrize(
    ("said", "name", "shown"),
    [
        ("volumeid: volume 5f is attached", "volumeid", "Volume 5f is attached"),
        ("Unable to execute API command createvolume due to missing parameter size", "size", None),
        ("Unable to execute API command x due to invalid value abc for parameter size", "size", None),
        ("Invalid value provided for API arg: name", "name", None),
        (
            "Unable to execute API command x due to invalid value. Invalid parameter zoneid value=1 due to",
            "zoneid",
            None,
        ),
        ("something else: with a colon", "", None),
        ("nosuch: parameter", "", None),
    ],
)
def test_an_error_is_about_the_field_that_it_names(said, name, shown):
    found = about(CloudError(said), said, ("volumeid", "size", "name", "zoneid"))

    assert found == (name, shown or said)


def test_a_call_is_written_for_cs_as_an_address_and_for_curl():
    given = {"id": "0b1c2d3e-0000-4000-8000-0000000000ff", "name": "it's", "tags": [{"key": "a", "value": "b"}]}

    assert calls.line("updateVirtualMachine", given, "cs") == (
        "cs updateVirtualMachine id=0b1c2d3e-0000-4000-8000-0000000000ff name='it'\"'\"'s' 'tags[0].key'=a"
    ) or "tags[0].key=a" in calls.line("updateVirtualMachine", given, "cs")
    assert calls.line("listZones", {"name": "a b"}, "api") == "/client/api?command=listZones&response=json&name=a%20b"
    assert "0b1c…ff" in calls.written("updateVirtualMachine", given, "cs")


def test_a_secret_is_in_no_call():
    line = calls.line("updateUser", {"id": "x", "password": "canary"}, "cs")

    assert "canary" not in line


def test_the_curl_line_is_signed_as_the_api_takes_it(tmp_path, client, make, db):
    """Run by a shell; the signature that it makes is the API's own."""
    import subprocess

    from apps.api.signing import is_signed

    script = calls.line("listZones", {"name": "a b/c", "available": "true"}, "curl")
    said = script.replace("curl -G", "printf '%s\\n'").replace('"$CLOUDSTACK_ENDPOINT" -d "$q"', '"$q"')
    said = said.replace('--data-urlencode "signature=$s"', '"$s"')
    shell = subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", said],
        env={"PATH": "/usr/bin:/bin", "CLOUDSTACK_KEY": "Key-1", "CLOUDSTACK_SECRET": "word"},
        capture_output=True,
        text=True,
        check=True,
    )
    query, signature = shell.stdout.splitlines()
    from apps.api.query import parameters

    assert is_signed(parameters(query, ""), "word", signature)


def test_a_form_without_a_class_asks_for_all_that_the_command_takes(browser, make):
    assert "addRegion" not in FORMS

    page = browser(make.root()).page("/do/addRegion")

    assert 'name="endpoint"' in page


def test_the_dialog_is_the_same_form(browser, alice, make):
    vm = make.vm(alice.account, name="web-01", state="Stopped")

    part = text(browser(alice).part(f"/do/destroyVirtualMachine?id={vm.uuid}"))

    assert part.startswith('<div class="veil"')
    assert 'name="_typed"' in part
    assert "<html" not in part


def test_what_is_being_typed_shows_the_call_and_does_nothing(browser, alice, make):
    visitor = browser(alice)

    part = visitor.post("/do/createVolume", {"name": "data", "size": "5"}, **{"HX-Request": "true"})

    assert "<b>cs createVolume</b>" in text(part)
    assert "size=<i>5</i>" in text(part)
    assert Volume.all_tenants.count() == 0


def test_machines_are_called_by_what_people_call_them():
    assert MACHINE.title({"name": "i-1", "displayname": "Web one", "id": "x"}) == "Web one"
    assert MACHINE.title({"name": "i-1", "displayname": "", "id": "x"}) == "i-1"
    assert issubclass(FORMS["destroyVirtualMachine"], Form)
