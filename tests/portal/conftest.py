import re

import pytest
from django.test import Client
from django.utils import translation

from apps.accounts.services import sign_on
from apps.jobs import runner
from apps.portal import gate
from apps.portal.visits import Allowed


@pytest.fixture(autouse=True)
def no_roles_of_another_test():
    Allowed.kept.clear()


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


class Browser:
    """A client with a session of this caller's user; pages as text, forms with their tokens."""

    def __init__(self, caller, *, strict=False):
        self.client = Client(enforce_csrf_checks=strict)
        if caller is not None:
            user = caller.account.users.get()
            user.account = caller.account
            self.client.cookies[gate.COOKIE] = sign_on.open_session(user).cookie
            self.user = user

    def get(self, path, **headers):
        return self.client.get(path, headers=headers)

    def part(self, path, **headers):
        return self.get(path, **{"HX-Request": "true", **headers})

    def post(self, path, data=None, **headers):
        return self.client.post(path, data or {}, headers=headers)

    def page(self, path):
        answer = self.get(path)
        assert answer.status_code == 200, answer.content.decode()[:500]
        return text(answer)

    def token(self, path):
        return field(self.page(path), "_token")

    def send(self, path, **data):
        """The form at this address, as it stands there, with these values."""
        page = self.page(path)
        return self.post(path.partition("?")[0], {"_token": field(page, "_token"), **hidden(page), **data})


def text(answer):
    return answer.content.decode()


def field(page, name):
    return page.split(f'name="{name}" value="', 1)[1].split('"', 1)[0]


def hidden(page):
    """The hidden fields of the one form that sends."""
    form = page.split("data-form>", 1)[-1]
    return dict(re.findall(r'<input type="hidden" name="((?!_token|csrf|_checks)[^"]+)" value="([^"]*)"', form))


@pytest.fixture
def browser(db):
    return Browser


@pytest.fixture
def alice(make, db):
    return make.caller()


@pytest.fixture
def work(db):
    """What workers would do."""
    return runner.drain
