from xml.etree import ElementTree as ET

from agent.host.stats import Account, counters

XML = ET.fromstring("""<domain><devices>
<disk><target dev='vda'/><alias name='ua-disk-d1'/></disk><disk><target dev='hdc'/><alias name='ua-cdrom'/></disk>
<interface><target dev='t1'/><alias name='ua-nic-n1'/></interface></devices></domain>""")


def counted(cpu, rx=0, disk=0):
    return {"cpu": {"ns": cpu}, "nic:n": {"received_bytes": rx}, "disk:d": {"read_bytes": disk}}


def totals(account):
    told = account.told("m")
    return round(told["cpu_seconds"] * 1e9), told["nics"][0]["received_bytes"], told["disks"][0]["read_bytes"]


def test_what_is_counted_goes_by_the_name_of_the_device():
    values = {
        "cpu.time": 5,
        "net.count": 1,
        "net.0.name": "t1",
        "net.0.rx.bytes": 7,
        "net.0.tx.bytes": 8,
        "block.count": 2,
        "block.0.name": "vda",
        "block.0.rd.bytes": 9,
        "block.1.name": "hdc",
        "block.1.rd.bytes": 99,
    }

    found = counters(values, XML)

    assert found["cpu"] == {"ns": 5}
    assert {name: {k: v for k, v in each.items() if v} for name, each in found.items() if name != "cpu"} == {
        "nic:n1": {"received_bytes": 7, "sent_bytes": 8},
        "disk:d1": {"read_bytes": 9},
    }


def test_totals_grow_by_what_was_used_since():
    account = Account()
    for now in (counted(10, 5, 1), counted(15, 5, 4)):
        account.add("run1", now, 100, 1.0)

    assert totals(account) == (15, 5, 4)


def test_a_new_qemu_counts_from_zero_and_nothing_is_lost_or_counted_twice():
    account = Account()
    account.add("run1", counted(10, 5, 1), 100, 1.0)
    account.add("run2", counted(30, 7, 9), 100, 2.0)  # more than before, and yet all new

    assert totals(account) == (40, 12, 10)


def test_a_card_that_was_plugged_again_counts_from_zero():
    account = Account()
    account.add("run1", counted(10, 50, 1), 100, 1.0)
    account.add("run1", counted(12, 3, 2), 100, 2.0)

    assert totals(account) == (12, 53, 2)


def test_a_device_that_is_gone_keeps_its_total():
    account = Account()
    account.add("run1", counted(10, 50, 1), 100, 1.0)
    account.add("run1", {"cpu": {"ns": 11}}, 100, 2.0)

    assert totals(account) == (11, 50, 1)


def test_an_account_goes_on_after_a_restart_of_the_agent():
    account = Account()
    account.add("run1", counted(10, 5, 1), 100, 1.0)

    again = Account(vars(account))
    again.add("run1", counted(12, 6, 1), 100, 2.0)

    assert (again.epoch, totals(again)) == (account.epoch, (12, 6, 1))
