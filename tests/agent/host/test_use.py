import os

from agent.host.use import HostUse

HEAD = "Inter-|   Receive  |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes packets\n"


def kernel(tmp_path, *, memory="MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 400 kB\n"):
    proc, cards = tmp_path / "proc", tmp_path / "net"
    boot = proc / "sys/kernel/random"
    boot.mkdir(parents=True)
    (boot / "boot_id").write_text("0f3f2c1e-1111-4222-8333-444455556666\n")
    (proc / "stat").write_text("cpu 100 20 30 9000 500 6 7 8 90 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
    (proc / "meminfo").write_text(memory)
    (proc / "loadavg").write_text("1.25 0.50 0.25 1/300 4242\n")
    (proc / "net").mkdir()
    lines = [f"{name}: {got} 1 0 0 0 0 0 0 {sent} 1 0 0 0 0 0 0\n" for name, got, sent in CARDS]
    (proc / "net/dev").write_text(HEAD + "".join(lines))
    for name in ("eth0", "eth1"):
        (cards / name / "device").mkdir(parents=True)
    return HostUse(proc, cards)


CARDS = (("lo", 999, 999), ("eth0", 1000, 300), ("br0", 1000, 300), ("eth1", 50, 7), ("vnet0", 40, 30))


def test_what_a_host_uses_is_told_in_totals_of_its_processors_and_wires(tmp_path):
    assert kernel(tmp_path).told() == {
        "epoch": "0f3f2c1e111142228333444455556666",
        "cpu_seconds": 171 / os.sysconf("SC_CLK_TCK"),
        "memory_bytes": 600 << 10,
        "received_bytes": 1050,
        "sent_bytes": 307,
        "load_average": 1.25,
    }


def test_a_kernel_that_counts_otherwise_tells_nothing(tmp_path):
    assert kernel(tmp_path, memory="MemTotal: 1000 kB\n").told() is None


def test_this_kernel_is_understood():
    told = HostUse().told()

    assert told is not None
    assert told["cpu_seconds"] > 0
    assert told["memory_bytes"] > 0
