import hashlib
import http.server
import struct
import threading
from types import SimpleNamespace

import pytest

from apps.accounts.models import Account
from apps.accounts.tenants import caller_for
from apps.configuration.store import STORE
from apps.core.audit import CHECKS
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.core.seeds import sow
from apps.images import fetch
from apps.images.flows.teardown import TEARDOWN, Teardown
from apps.images.models import ImageStore, Template, TemplateCopy, TemplateShare
from apps.jobs import runner
from apps.jobs.flows import begin
from apps.limits.models import Counter
from tests.crash import matrix, work_off

pytestmark = pytest.mark.django_db
VIRTUAL = 1 << 20
# the header of a QCOW2 image of this size, without anything in it
BODY = struct.pack(">4sIQIIQ", b"QFI\xfb", 2, 0, 0, 16, VIRTUAL).ljust(5000, b"\0")
WHAT = {"name": "t", "format": "QCOW2", "hypervisor": "KVM"}


@pytest.fixture(autouse=True)
def settings_of_this_test():
    yield STORE.forget()
    STORE.forget()


@pytest.fixture
def zone(make):
    make.domain()
    return make.zone()


@pytest.fixture
def store(api, make, zone):
    api(make.root(), "addImageStore", provider="NFS", url="nfs://127.0.0.1/export", zoneid=zone.uuid)
    return ImageStore.all_tenants.get()


@pytest.fixture
def real(api, make, zone, tmp_path):
    api(make.root(), "addImageStore", provider="NFS", url=f"file://{tmp_path}", zoneid=zone.uuid)
    return tmp_path


@pytest.fixture
def server():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.startswith("/moved"):
                self.send_response(302)
                self.send_header("Location", self.path[len("/moved") :].replace("/to-", "http://"))
                self.end_headers()
                return
            found = self.path.startswith("/image")
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(BODY) * (2 if "short" in self.path else 1)))
            self.end_headers()
            self.wfile.write(BODY if found else b"")

        def log_message(self, *args):
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def make_caller(name):
    return caller_for(Account.all_tenants.get(name=name))


def admin():
    return caller_for(Account.all_tenants.get(name="admin"))


def register(api, caller, zone, url="http://example.com/image.qcow2", **more):
    got = api(caller, "registerTemplate", **{**WHAT, "url": url, "zoneid": zone.uuid, **more})
    work_off()
    return got


def listed(api, caller, word="self", **more):
    return api(caller, "listTemplates", templatefilter=word, **more).get("template", [])


def used(account, kind):
    return Counter.objects.filter(account=account, kind=kind).values_list("used", flat=True).first() or 0


def test_a_template_is_listed_at_once_and_ready_after_its_download(api, make, zone, store):
    alice = make.caller("alice")
    got = api(alice, "registerTemplate", **WHAT, url="http://example.com/a.qcow2", zoneid=zone.uuid)

    assert got["count"] == 1
    row = got["template"][0]
    assert (row["isready"], row["status"], row["zonename"]) == (False, "0% Downloaded", "z1")
    runner.drain()
    row = listed(api, alice, id=row["id"])[0]
    assert (row["isready"], row["status"]) == (True, "Download Complete")
    assert used(alice.account, "template") == 1
    assert used(alice.account, "secondary_storage") == row["physicalsize"] == 100 << 20
    assert api(alice, "deleteTemplate", id=row["id"]) == {"success": True}
    assert (used(alice.account, "template"), used(alice.account, "secondary_storage")) == (0, 0)
    assert (listed(api, alice), ImageStore.all_tenants.get().used_bytes) == ([], 0)


def test_a_simulated_download_takes_its_time(api, make, zone, store):
    STORE.store("simulator.template.latency", "1000")
    alice = make.caller("alice")
    got = api(alice, "registerTemplate", **WHAT, url="http://example.com/a.qcow2", zoneid=zone.uuid)
    runner.drain()

    assert listed(api, alice)[0]["isready"] is False
    with pytest.raises(CloudError, match="is being downloaded"):
        api(alice, "deleteTemplate", id=got["template"][0]["id"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://example.com/a.qcow2"},
        {"url": "file:///etc/shadow.qcow2"},
        {"url": "http:///a.qcow2"},
        {"url": "http://u:p@example.com/a.qcow2"},
        {"url": "http://example.com:99999/a.qcow2"},
        {"url": "http://[::1/a.qcow2"},
        {"url": "http://example.com/a.vhd"},
        {"checksum": "xyz"},
        {"checksum": "{MD5}" + "a" * 40},
        {"format": "ISO"},
        {"hypervisor": "Magic"},
        {"name": ""},
        {"bits": 128},
    ],
)
def test_what_cannot_be_a_template_is_refused_and_makes_nothing(api, make, zone, store, wrong):
    with pytest.raises(CloudError) as error:
        register(api, make.caller("alice"), zone, **wrong)

    assert (error.value.code, Template.including_removed.count(), TemplateCopy.including_removed.count()) == (431, 0, 0)


def test_a_zone_without_secondary_storage_takes_none(api, make, zone):
    with pytest.raises(CloudError, match="no secondary storage"):
        register(api, make.caller("alice"), zone)
    assert Template.including_removed.count() == 0


def test_filters_say_whose_and_which(api, make, zone, store):
    alice, bob, root = make.caller("alice"), make.caller("bob"), admin()
    for name, more in (("private", {}), ("public", {"ispublic": True})):
        register(api, alice, zone, name=name, **more)
    register(api, root, zone, name="star", ispublic=True, isfeatured=True)
    register(api, alice, zone, name="vanity", isfeatured=True)
    private = Template.all_tenants.get(name="private")
    api(alice, "updateTemplatePermissions", id=private.uuid, op="add", accounts="bob")

    def names(caller, word):
        return [row["name"] for row in listed(api, caller, word)]

    assert names(bob, "featured") == ["star"]
    assert names(bob, "community") == ["public"]
    assert names(bob, "self") == names(bob, "selfexecutable") == []
    assert names(bob, "sharedexecutable") == ["private"]
    assert names(bob, "executable") == ["private", "public", "star"]
    assert names(alice, "self") == ["private", "public", "vanity"]
    assert names(root, "all") == ["private", "public", "star", "vanity"]
    with pytest.raises(CloudError) as error:
        listed(api, bob, "all")
    assert error.value.code == 531
    told = api(alice, "listTemplatePermissions", id=private.uuid)["templatepermission"]
    assert (told["account"], told["ispublic"]) == (["bob"], False)
    api(alice, "updateTemplatePermissions", id=private.uuid, op="reset")
    assert names(bob, "sharedexecutable") == []
    with pytest.raises(CloudError):
        api(bob, "updateTemplate", id=private.uuid, name="mine")


def test_only_admins_publish_if_the_operator_says_so(api, make, zone, store):
    STORE.store("allow.public.user.templates", "false")
    alice = make.caller("alice")
    register(api, alice, zone)
    row = Template.all_tenants.get()

    for call in (
        lambda: register(api, alice, zone, ispublic=True),
        lambda: api(alice, "updateTemplatePermissions", id=row.uuid, ispublic=True),
    ):
        with pytest.raises(CloudError) as error:
            call()
        assert error.value.code == 531
    assert [t.is_public for t in Template.all_tenants.all()] == [False]


def test_a_store_gets_the_templates_of_all_zones(api, make, zone):
    sow()
    root = admin()
    assert Template.all_tenants.filter(is_counted=False).count() == 2
    assert listed(api, root, "featured")[0]["isready"] is False

    api(root, "addSecondaryStorage", url="nfs://127.0.0.1/export", zoneid=zone.uuid)
    work_off()

    rows = {row["name"]: row for row in listed(api, root, "all")}
    builtin = rows["CentOS 5.6 (64-bit) no GUI (Simulator)"]
    assert (builtin["isready"], builtin["status"], builtin["templatetype"]) == (True, "Download Complete", "BUILTIN")
    assert (builtin["format"], builtin["crossZones"], builtin["ostypename"]) == ("VHD", True, "CentOS 5.6 (64-bit)")
    assert rows["SystemVM Template (simulator)"]["isready"] is True
    assert [row["name"] for row in listed(api, make.caller("u"), "featured")] == [builtin["name"]]
    with pytest.raises(CloudError, match="machines of the system"):
        api(root, "deleteTemplate", id=rows["SystemVM Template (simulator)"]["id"])
    assert api(root, "deleteImageStore", id=ImageStore.all_tenants.get().uuid) == {"success": True}
    assert listed(api, root, "featured")[0]["isready"] is False


def test_a_store_with_customers_images_stays(api, make, zone, store):
    register(api, make.caller("alice"), zone)
    with pytest.raises(CloudError) as error:
        api(admin(), "deleteImageStore", id=store.uuid)
    assert (error.value.code, ImageStore.all_tenants.count()) == (536, 1)


def test_a_real_download_lands_whole_in_the_directory(api, make, zone, real, server):
    STORE.store("secstorage.allowed.internal.sites", "127.0.0.0/8")
    alice = make.caller("alice")
    url, digest = f"{server}/image.qcow2", hashlib.sha256(BODY).hexdigest()

    register(api, alice, zone, url, checksum=f"{{SHA-256}}{digest}")

    row = listed(api, alice)[0]
    assert (row["isready"], row["size"], row["physicalsize"]) == (True, VIRTUAL, len(BODY))
    files = [path for path in real.rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in files] == [BODY]
    audit = CHECKS["images: every file of a store that is a directory belongs to a copy"]
    assert list(audit()) == []
    api(alice, "deleteTemplate", id=row["id"])
    assert [path for path in real.rglob("*") if path.is_file()] == []
    files[0].write_bytes(b"")
    assert len(list(audit())) == 1


@pytest.mark.parametrize(
    ("path", "more", "allowed", "status"),
    [
        ("/image.qcow2", {}, "", "the server is at an address that may not be asked"),
        ("/none.qcow2", {}, "127.0.0.1", "the server answers with status 404"),
        ("/image.short.qcow2", {}, "127.0.0.1", "only 5000 of 10000 bytes came"),
        ("/image.qcow2", {"checksum": "0" * 64}, "127.0.0.1", "the checksum is not that of the file"),
        ("/moved/to-127.0.0.2/image.qcow2", {}, "127.0.0.1", "the server is at an address that may not be asked"),
        ("/image.qcow2.zip", {}, "127.0.0.1", "archives are not unpacked: gz, bz2 and xz are, which hold one file"),
        ("/image.qcow2.gz", {}, "127.0.0.1", "the packed data are damaged, or packed in another way"),
    ],
)
def test_a_failed_download_says_why_leaves_no_file_and_can_be_deleted(
    api, make, zone, real, server, path, more, allowed, status
):
    STORE.store("secstorage.allowed.internal.sites", allowed)
    alice = make.caller("alice")

    register(api, alice, zone, f"{server}{path}", **more)

    row = listed(api, alice)[0]
    assert (row["isready"], row["status"]) == (False, status)
    assert [path for path in real.rglob("*") if path.is_file()] == []
    assert used(alice.account, "secondary_storage") == 0
    assert api(alice, "deleteTemplate", id=row["id"]) == {"success": True}


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "::ffff:10.0.0.1",
        "0.0.0.0",  # noqa: S104 - asked, not bound
        "64:ff9b::a00:1",
        "224.0.0.1",
    ],
)
def test_inner_addresses_are_not_asked(address):
    assert fetch.is_allowed(address, ()) is False
    assert fetch.is_allowed("8.8.8.8", ()) is True


def test_root_registers_files_of_folders_that_may_be_read(api, make, zone, real, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    (folder / "image.qcow2").write_bytes(BODY)
    root, url = admin(), f"file://{folder}/image.qcow2"

    register(api, root, zone, url)
    row = listed(api, root)[0]
    assert (row["isready"], row["status"]) == (False, "there is no such file in a folder that may be read")
    STORE.store("secstorage.allowed.folders", f"/nowhere, {folder}")
    register(api, root, zone, url, checksum=hashlib.sha256(BODY).hexdigest())

    assert [(row["isready"], row.get("physicalsize")) for row in listed(api, root)] == [
        (False, None),
        (True, len(BODY)),
    ]
    for kind in ({"kind": Kind.TENANT}, {"kind": Kind.DOMAIN_ADMIN}):
        with pytest.raises(CloudError, match="only http and https"):
            register(api, make.caller(f"u{kind['kind']}", **kind), zone, url)


def test_the_size_limit_is_the_operators(api, make, zone, real, server):
    STORE.store("secstorage.allowed.internal.sites", "127.0.0.1")
    STORE.store("max.template.iso.size", "0")

    register(api, make.caller("alice"), zone, f"{server}/image.qcow2")

    row = listed(api, make_caller("alice"))[0]
    assert (row["isready"], row["status"]) == (False, "it has 5000 bytes, more than the 0 that are allowed")
    assert [path for path in real.rglob("*") if path.is_file()] == []


def test_a_name_that_means_a_private_address_is_refused(api, make, zone, real, server):
    register(api, make.caller("alice"), zone, f"http://localhost:{server.rpartition(':')[2]}/image.qcow2")

    row = listed(api, make_caller("alice"))[0]
    assert (row["isready"], row["status"]) == (False, "the server is at an address that may not be asked")


def test_what_is_said_about_a_template_changes(api, make, zone, store):
    alice, bob = make.caller("alice"), make.caller("bob")
    register(api, alice, zone, details={"a": "1"})
    row, os_type = listed(api, alice)[0], make.row("images.OsType", None)
    assert row["details"] == {"a": "1"}

    changed = api(
        alice,
        "updateTemplate",
        id=row["id"],
        name="new",
        displaytext="text",
        ostypeid=os_type.uuid,
        passwordenabled=True,
        sshkeyenabled=True,
        requireshvm=False,
        isdynamicallyscalable=True,
        arch="aarch64",
        sortkey=7,
        details={"b": "2"},
    )["template"]

    said = ("name", "displaytext", "ostypeid", "passwordenabled", "sshkeyenabled", "requireshvm", "arch")
    assert [changed[name] for name in said] == ["new", "text", str(os_type.uuid), True, True, False, "aarch64"]
    assert (changed["isdynamicallyscalable"], changed["details"]) == (True, {"a": "1", "b": "2"})
    cleaned = api(alice, "updateTemplate", id=row["id"], cleanupdetails=True)["template"]
    assert "details" not in cleaned
    for wrong in ({"name": " "}, {"details": {"x": "y"}, "cleanupdetails": True}, {"arch": "z80"}):
        with pytest.raises(CloudError) as error:
            api(alice, "updateTemplate", id=row["id"], **wrong)
        assert error.value.code == 431
    with pytest.raises(CloudError) as error:
        api(bob, "updateTemplate", id=row["id"], name="mine")
    assert (error.value.code, listed(api, alice)[0]["name"]) == (531, "new")


def test_isos_are_shared_like_templates(api, make, zone, store):
    alice, bob = make.caller("alice"), make.caller("bob")
    project, foreign = make.project(alice.account, bob.account), make.project(bob.account, name="q")
    alice = caller_for(alice.account)
    iso = {"name": "i", "url": "http://example.com/a.iso", "zoneid": zone.uuid, "bootable": False}
    got = api(alice, "registerIso", **iso)["iso"][0]
    work_off()

    def names(word):
        return [row["name"] for row in api(caller_for(bob.account), "listIsos", isofilter=word).get("iso", [])]

    assert (names("executable"), names("community")) == ([], [])
    api(alice, "updateIsoPermissions", id=got["id"], op="add", projectids=project.uuid)
    assert names("sharedexecutable") == ["i"]
    told = api(alice, "listIsoPermissions", id=got["id"])["templatepermission"]
    assert (told["projectids"], "account" in told) == ([str(project.uuid)], False)
    api(alice, "updateIsoPermissions", id=got["id"], op="remove", projectids=project.uuid)
    assert names("sharedexecutable") == []
    api(alice, "updateIsoPermissions", id=got["id"], ispublic=True)
    assert (names("executable"), names("community")) == (["i"], ["i"])
    for wrong in (
        {"op": "add"},
        {"accounts": "bob"},
        {"op": "add", "accounts": "nobody"},
        {"op": "add", "accounts": "alice"},
    ):
        with pytest.raises(CloudError) as error:
            api(alice, "updateIsoPermissions", id=got["id"], **wrong)
        assert error.value.code == 431
    for call in (
        lambda: api(bob, "listIsoPermissions", id=got["id"]),
        lambda: api(alice, "updateIsoPermissions", id=got["id"], op="add", projectids=foreign.uuid),
    ):
        with pytest.raises(CloudError) as error:
            call()
        assert error.value.code == 531


def test_lists_by_every_filter(api, make, zone, store):
    alice, os_type = make.caller("alice"), make.row("images.OsType", None)
    register(api, alice, zone, name="one", hypervisor="KVM", arch="aarch64", ostypeid=os_type.uuid)
    register(api, alice, zone, name="two", hypervisor="VMware", displaytext="special", url="http://example.com/a.qcow2")
    TemplateCopy.all_tenants.filter(template__name="two").kernel_update(state="Failed")
    rows = {row["name"]: row for row in listed(api, alice)}

    def names(**by):
        return [row["name"] for row in listed(api, alice, **by)]

    assert names() == ["one", "two"]
    assert names(name="ONE") == names(arch="aarch64") == names(hypervisor="kvm") == names(isready=True) == ["one"]
    assert names(keyword="speci") == names(isready=False) == names(id=rows["two"]["id"]) == ["two"]
    assert names(ids=f"{rows['one']['id']},{rows['two']['id']}") == ["one", "two"]
    assert names(oscategoryid=os_type.category.uuid) == ["one"]
    assert names(zoneid=zone.uuid) == names(templatetype="USER") == ["one", "two"]
    assert [row["name"] for row in listed(api, admin(), "all", imagestoreid=store.uuid)] == ["one", "two"]


def test_the_limit_of_secondary_storage_ends_a_download(api, make, zone, store):
    alice = make.caller("alice")
    Counter.objects.create(account=alice.account, kind="secondary_storage", limit=1 << 20, used=0)

    register(api, alice, zone)

    assert listed(api, alice)[0]["isready"] is False
    assert (used(alice.account, "secondary_storage"), used(alice.account, "template")) == (0, 1)


def test_isos_and_templates_are_unknown_to_each_others_commands(api, make, zone, store):
    alice, os_type = make.caller("alice"), make.row("images.OsType", None)
    got = api(alice, "registerIso", name="i", url="http://example.com/a.iso", zoneid=zone.uuid, ostypeid=os_type.uuid)[
        "iso"
    ][0]
    work_off()

    assert (got["bootable"], got["format"]) == (True, "ISO")
    assert api(alice, "listIsos")["iso"][0]["status"] == "Successfully Installed"
    assert listed(api, alice) == []
    with pytest.raises(CloudError, match="is an ISO"):
        api(alice, "deleteTemplate", id=got["id"])
    with pytest.raises(CloudError, match="ostypeid"):
        api(alice, "registerIso", name="j", url="http://example.com/a.iso", zoneid=zone.uuid)
    assert api(alice, "updateIso", id=got["id"], displaytext="x")["iso"]["displaytext"] == "x"
    assert api(alice, "deleteIso", id=got["id"]) == {"success": True}


def test_killed_at_every_point_of_a_download_it_ends_ready(db, api, make, tmp_path, server):
    STORE.store("secstorage.allowed.internal.sites", "127.0.0.1")

    def scene():
        make.domain()
        zone, alice = make.zone(), make.caller("alice")
        api(make.root(), "addImageStore", provider="NFS", url=f"file://{tmp_path}", zoneid=zone.uuid)
        api(alice, "registerTemplate", **WHAT, url=f"{server}/image.qcow2", zoneid=zone.uuid)
        return SimpleNamespace(alice=alice)

    def check(world, lost):
        assert listed(api, world.alice)[0]["isready"] is True
        assert used(world.alice.account, "secondary_storage") == len(BODY)

    assert matrix(scene, check) >= 2


def test_capabilities_are_changed_by_id_or_by_name(api, make):
    sow()
    root = admin()
    row = api(root, "listHypervisorCapabilities", hypervisor="Simulator")["hypervisorCapabilities"][0]
    assert {n: row[n] for n in row if n != "id"} == {
        "hypervisor": "Simulator",
        "hypervisorversion": "default",
        "maxguestslimit": 50,
        "maxdatavolumeslimit": 6,
        "securitygroupenabled": True,
        "storagemotionenabled": True,
        "vmsnapshotenabled": True,
    }
    said = {"hypervisor": "simulator", "hypervisorversion": "default", "maxguestslimit": 9}
    assert api(root, "updateHypervisorCapabilities", **said)["hypervisorcapabilities"]["maxguestslimit"] == 9
    with pytest.raises(CloudError):
        api(root, "updateHypervisorCapabilities", maxguestslimit=9)
    types = {row["description"] for row in api(root, "listOsTypes")["ostype"]}
    assert {"CentOS 5.6 (64-bit)", "Other Linux (64-bit)", "Other (64-bit)", "Windows 7 (32-bit)"} <= types


def test_an_account_goes_with_its_images_files_and_what_was_shared_with_it(api, make, zone, real, server):
    STORE.store("secstorage.allowed.internal.sites", "127.0.0.1")
    alice, bob = make.caller("alice"), make.caller("bob")
    register(api, alice, zone, f"{server}/image.qcow2")
    register(api, bob, zone, f"{server}/image.qcow2")
    api(bob, "updateTemplatePermissions", id=listed(api, bob)[0]["id"], op="add", accounts="alice")

    begin(TEARDOWN, Teardown(alice.account.pk), child=True)
    work_off()

    assert list(Template.all_tenants.values_list("owner__name", flat=True)) == ["bob"]
    assert len([path for path in real.rglob("*") if path.is_file()]) == 1
    assert TemplateShare.objects.count() == 0
    assert (used(alice.account, "template"), used(alice.account, "secondary_storage")) == (0, 0)
    assert used(bob.account, "secondary_storage") == ImageStore.all_tenants.get().used_bytes == len(BODY)
    assert [list(CHECKS[name]()) for name in CHECKS if name.startswith("images:")] == [[], []]


def test_a_second_copy_of_an_image_counts_again_and_goes_alone(api, make, zone, store):
    alice = make.caller("alice")
    other = type(zone)(name="z2")
    other.save()
    api(admin(), "addImageStore", provider="NFS", url="nfs://127.0.0.1/other", zoneid=other.uuid)
    api(alice, "registerTemplate", **WHAT, url="http://example.com/a.qcow2", zoneids=f"{zone.uuid},{other.uuid}")
    work_off()
    row = listed(api, alice, zoneid=other.uuid)[0]
    assert (row["zonename"], used(alice.account, "secondary_storage")) == ("z2", 200 << 20)

    api(alice, "deleteTemplate", id=row["id"], zoneid=other.uuid)

    assert listed(api, alice, zoneid=other.uuid) == []
    assert (len(listed(api, alice)), used(alice.account, "secondary_storage")) == (1, 100 << 20)


def test_a_directory_gets_what_can_be_fetched_and_not_what_only_the_simulator_has(api, make, zone, tmp_path):
    admin = make.root()
    make.template(admin.account, name="built in", is_cross_zones=True, kind=Template.Kind.BUILTIN)
    make.template(admin.account, name="from afar", is_cross_zones=True, url="http://example.com/a.qcow2")
    TemplateCopy.all_tenants.all()._raw_delete("default")

    api(admin, "addImageStore", provider="NFS", url=f"file://{tmp_path}", zoneid=zone.uuid)

    assert list(TemplateCopy.all_tenants.values_list("template__name", flat=True)) == ["from afar"]
