"""A database that cannot keep what is typed is refused at the start of a server."""

import pytest
from django.db import OperationalError

from cloudportal import checks


class Cursor:
    def __init__(self, found):
        self.found = found

    def __enter__(self):
        if isinstance(self.found, Exception):
            raise self.found
        return self

    def __exit__(self, *error):
        pass

    def execute(self, statement):
        pass

    def fetchone(self):
        return "cloud", self.found


@pytest.mark.parametrize(
    ("vendor", "found", "said"),
    [
        ("mysql", "utf8mb4", []),
        ("sqlite", "latin1", []),
        (
            "mysql",
            "latin1",
            ["the database cloud has the character set latin1: alter database cloud character set utf8mb4"],
        ),
        ("mysql", OperationalError(2002, "no socket"), ["the database does not answer: (2002, 'no socket')"]),
    ],
)
def test_the_character_set_of_the_database(monkeypatch, vendor, found, said):
    class Connection:
        def cursor(self):
            return Cursor(found)

    Connection.vendor = vendor
    monkeypatch.setattr(checks, "connection", Connection())

    assert [each.msg for each in checks.the_database_knows_every_letter(databases=["default"])] == said
