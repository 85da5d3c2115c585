from typing import Any

from django.db.models import QuerySet

from apps.accounts.commands.responses import UserKeysResponse, UserResponse
from apps.accounts.models import User
from apps.accounts.services import users
from apps.accounts.services.accounts import Person
from apps.core import ports
from apps.core.callers import DOMAIN, ROOT, USER, Access
from apps.core.commands import AsyncCommand, Command, command
from apps.core.errors import InvalidParameter
from apps.core.lists import OwnedListCommand
from apps.core.refs import Ref
from apps.core.rights import check_covers
from apps.core.scope import named_account
from apps.core.wire import Int, Str, Uuid


def user_ref(help_text: str = "the user") -> Ref:
    return Ref("accounts.User", Access.OPERATE, source="user", required=True, help_text=help_text)


@command("createUser", roles=DOMAIN, event="USER.CREATE", response=UserResponse)
class CreateUser(Command):
    """Creates a user of an account that exists."""

    username = Str(required=True, length=100, help_text="the name that the user logs in with")
    password = Str(required=True, secret=True, help_text="the password")
    firstname = Str(required=True, source="first_name", help_text="first name")
    lastname = Str(required=True, source="last_name", help_text="last name")
    email = Str(required=True, help_text="e-mail address")
    account = Str(required=True, length=100, source="account_name", help_text="the account of the user")
    domainid = Uuid(help_text="the domain of the account; the caller's if absent")
    timezone = Str(length=64, help_text="time zone")
    userid = Uuid(source="uuid", help_text="the id that the user shall have")

    def run(self, account_name: str, domainid: str | None = None, **person: Any) -> User:
        account = named_account(self.caller, account_name, domainid)
        check_covers(self.caller, account)
        return users.create(account=account, person=Person(**person))


@command("updateUser", roles=USER, event="USER.UPDATE", response=UserResponse)
class UpdateUser(Command):
    """Changes a user; the own password with the current one."""

    id = user_ref()
    username = Str(length=100, help_text="the new name")
    password = Str(secret=True, help_text="the new password")
    currentpassword = Str(secret=True, source="current_password", help_text="the password so far")
    firstname = Str(source="first_name", help_text="first name")
    lastname = Str(source="last_name", help_text="last name")
    email = Str(help_text="e-mail address")
    timezone = Str(length=64, help_text="time zone")
    userapikey = Str(source="api_key", length=128, help_text="an API key of one's own choice, with usersecretkey")
    usersecretkey = Str(source="secret_key", secret=True, help_text="the secret key to it")

    def run(self, user: User, **changes: Any) -> User:
        return users.update(caller=self.caller, user=user, **changes)


@command("deleteUser", roles=DOMAIN, event="USER.DELETE", response=None)
class DeleteUser(Command):
    """Deletes a user; what its account owns stays."""

    id = user_ref()

    def run(self, user: User) -> None:
        users.delete(caller=self.caller, user=user)


@command("disableUser", roles=DOMAIN, event="USER.DISABLE", response=UserResponse, locks=("user",))
class DisableUser(AsyncCommand):
    """Disables a user: neither password nor keys are taken any more."""

    id = user_ref()

    def run(self, user: User) -> User:
        return users.set_state(caller=self.caller, user=user, event="disable")


@command("enableUser", roles=DOMAIN, event="USER.ENABLE", response=UserResponse)
class EnableUser(Command):
    """Enables a user that was disabled or locked."""

    id = user_ref()

    def run(self, user: User) -> User:
        return users.set_state(caller=self.caller, user=user, event="enable")


@command("lockUser", roles=DOMAIN, event="USER.LOCK", response=UserResponse)
class LockUser(Command):
    """Locks a user: it cannot log in."""

    id = user_ref()

    def run(self, user: User) -> User:
        return users.set_state(caller=self.caller, user=user, event="lock")


@command("listUsers", roles=USER, response=UserResponse)
class ListUsers(OwnedListCommand):
    """Lists users."""

    model = "accounts.User"
    keyword_in = ("username", "first_name", "last_name", "email", "state", "account__name")
    taggable = False
    scope_columns = {"owner": "account", "domain_path": "account__domain__path"}
    filters = {
        "username": "username",
        "state": "state",
        "usersource": "source",
        "accounttype": Int(lookup="account__type", help_text="list those whose account is of this type"),
    }
    projectid = None

    def visible(self, given: dict[str, Any]) -> QuerySet:
        return super().visible(given).filter(account__is_hidden=False)


@command("getUser", roles=ROOT, response=UserResponse)
class GetUser(Command):
    """Finds a user by API key."""

    changes = False
    userapikey = Str(required=True, source="api_key", length=1024, help_text="the API key of the user")

    def run(self, api_key: str) -> User:
        user = User.all_tenants.filter(api_key=api_key).first()
        if user is None:
            raise InvalidParameter("userapikey: no user has this key")
        return user


@command("registerUserKeys", roles=USER, event="REGISTER.USER.KEY", response=UserKeysResponse)
class RegisterUserKeys(Command):
    """Makes a new pair of keys for a user; the old pair is void."""

    id = user_ref()

    def run(self, user: User) -> dict[str, Any]:
        check_covers(self.caller, user.account)
        api_key, secret_key = users.register_keys(user=user)
        answer = {"userkeys": {"apikey": api_key, "secretkey": secret_key}}
        # Clients made from 4.23 poll a job: they get the id of one that is done with the same answer.
        return answer | {"jobid": ports.jobs.one().finished(self.caller, self.spec, user, answer)}


@command("getUserKeys", roles=USER, response=UserKeysResponse)
class GetUserKeys(Command):
    """Tells the keys of a user, to itself and to administrators."""

    changes = False
    id = user_ref()

    def run(self, user: User) -> dict[str, Any]:
        api_key, secret_key = users.keys_of(caller=self.caller, user=user) or ("", "")
        return {"userkeys": {"apikey": api_key, "secretkey": secret_key}}
