"""Times as texts. The standard library's modules for that, and for chance, cost megabytes that stay."""

import time

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def text_of(at: float) -> str:
    """2026-11-26T12:00:00.123+00:00"""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at))}.{int(at * 1000) % 1000:03}+00:00"


def seconds_of(text: str) -> float:
    """Of what certificates say: Jan  5 09:34:43 2018 GMT."""
    month, day, clock, year, _ = text.split()
    hour, minute, second = map(int, clock.split(":"))
    return float(_days(int(year), MONTHS.index(month) + 1, int(day)) * 86400 + hour * 3600 + minute * 60 + second)


def _days(year: int, month: int, day: int) -> int:
    """Since 1970, in the calendar that is counted from March on: the leap day is the last of its year."""
    year -= month < 3
    return year * 365 + year // 4 - year // 100 + year // 400 + ((month + 9) % 12 * 153 + 2) // 5 + day - 719469
