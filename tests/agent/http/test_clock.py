import ssl

import pytest

from agent.http import clock


@pytest.mark.parametrize(
    "text",
    [
        "Jan  1 00:00:00 1970 GMT",
        "Feb 29 23:59:59 2024 GMT",
        "Mar  1 00:00:00 2024 GMT",
        "Dec 31 12:30:01 2099 GMT",
        "Feb 28 01:02:03 2100 GMT",
        "Mar  1 01:02:03 2100 GMT",
    ],
)
def test_times_of_certificates(text):
    assert clock.seconds_of(text) == ssl.cert_time_to_seconds(text)


def test_a_time_as_text():
    assert clock.text_of(1795608000.25) == "2026-11-25T12:00:00.250+00:00"
