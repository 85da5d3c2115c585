"""Broker, cache, settings and logs, without a tree."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from celery import Celery
from django.core.exceptions import ImproperlyConfigured

from apps.jobs import tasks
from cloudportal import checks, logs, settings
from cloudportal.cache import SurvivingCache
from cloudportal.celery import Message
from cloudportal.installation import Installation, Taken

NOWHERE = "/no/such/valkey.sock"


def test_every_thread_publishes_through_our_application():
    with ThreadPoolExecutor(1) as other:
        name = other.submit(lambda: tasks.run_job.app.main).result()

    assert name == "cloudportal"


def nothing():
    return None


def test_a_broker_that_is_gone_is_nobodys_error_and_is_not_waited_for_twice(monkeypatch, caplog):
    monkeypatch.setattr(Message, "silent_until", 0.0)
    app = Celery("test", broker=f"redis+socket://{NOWHERE}", task_cls=Message, set_as_current=False)
    app.conf.broker_transport_options = {"max_retries": 0}
    work = app.task(nothing, name="work")

    first = work.apply_async(retry=False)
    second = [work.apply_async(retry=False) for _ in range(100)]

    assert (first, second) == (None, [None] * 100)
    assert ["does not answer" in record.getMessage() for record in caplog.records] == [True]


def test_a_cache_that_is_gone_has_nothing_and_takes_everything():
    cache = SurvivingCache(f"unix://{NOWHERE}", {})

    assert cache.get("a", "default") == "default"
    assert cache.get_many(["a"]) == {}
    assert cache.add("a", 1) is True
    assert cache.set("a", 1) is None
    assert cache.delete("a") is False
    assert cache.get_or_set("a", 5) == 5


@pytest.mark.parametrize("url", ["postgres://host/cloud", "cloud.sqlite3"])
def test_a_database_that_is_not_supported_is_named(url):
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL"):
        settings.database(url)


def test_a_password_in_a_database_url_may_hold_any_character():
    found = settings.database("mysql://cloud:p%40ss%2Fword@db:3307/portal?unix_socket=/run/db.sock")

    assert (found["USER"], found["PASSWORD"], found["HOST"], found["PORT"]) == ("cloud", "p@ss/word", "db", 3307)
    assert (found["NAME"], found["OPTIONS"]["unix_socket"]) == ("portal", "/run/db.sock")


def test_a_server_does_not_start_with_the_keys_of_the_tests():
    found = [error.msg.partition(" ")[0] for error in checks.secrets_are_our_own()]

    assert found == ["SECRET_KEY", "SECRET_FIELD_KEYS"]


def test_a_server_does_not_start_with_half_a_key(settings):
    settings.SECRET_KEY, settings.SECRET_FIELD_KEYS = "x" * 50, ["c2hvcnQ="]

    assert [error.msg for error in checks.secrets_are_our_own()] == [
        "SECRET_FIELD_KEYS: key 1 is not 32 bytes in URL-safe base64"
    ]


def test_keys_are_made_once(tmp_path):
    first = Installation(tmp_path).keys()

    assert Installation(tmp_path).keys() == first
    assert sorted(first) == ["SECRET_FIELD_KEYS", "SECRET_KEY"]


def test_one_at_a_time_has_a_directory(tmp_path):
    Installation(tmp_path).lock()

    with pytest.raises(Taken):
        Installation(tmp_path).lock()


def test_a_log_that_is_long_is_put_aside_and_writers_go_on_in_a_new_one(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "ROTATE_AT", 100)
    monkeypatch.setenv("LOG_DIR", str(tmp_path))
    handler = logging.config.DictConfigurator(logs.configuration("web")).config["handlers"]["out"]
    writer = logging.handlers.WatchedFileHandler(handler["filename"])

    for text in ("a" * 200, "b" * 200, "c"):
        writer.emit(logging.makeLogRecord({"msg": text}))
        logs.rotate(tmp_path)
    writer.close()

    assert (tmp_path / "web.log").read_text() == "c\n"
    assert (tmp_path / "web.log.1").read_text() == "b" * 200 + "\n"
    assert (tmp_path / "web.log.2").read_text() == "a" * 200 + "\n"


def test_log_lines_of_a_tree_are_json(cloud):
    lines = (cloud.folder / "log" / "supervisor.log").read_text().splitlines()

    assert {"web", "worker", "scheduler", "valkey"} <= {json.loads(line)["text"].split()[0] for line in lines}
