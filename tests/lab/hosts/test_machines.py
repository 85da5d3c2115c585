import time


def test_a_machine_starts_and_stops(guests, host, driver):
    began = time.monotonic()
    spec = guests.start()
    print("started", time.monotonic() - began)

    assert driver.power.runs(spec.uuid, within=10) is True
    assert driver.host.machines(within=10) == {spec.uuid}
    print("rss", host.memory_kib())
    began = time.monotonic()
    driver.power.stop(spec.uuid, within=60)
    print("stopped", time.monotonic() - began)
    assert driver.power.runs(spec.uuid, within=10) is False
    assert host.domains() == []
