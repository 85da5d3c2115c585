"""Which cloud this is: a random name that it keeps, signed for one user."""

import base64
import hashlib
import hmac
import uuid

from apps.accounts.models import User
from apps.accounts.services import users
from apps.core.callers import Caller
from apps.core.errors import InvalidParameter
from apps.domains.models import Domain


def signed(*, caller: Caller, user: User) -> dict[str, str]:
    """``signature`` is HMAC-SHA1 of the identifier with the secret key, Base64, as requests are signed."""
    keys = users.keys_of(caller=caller, user=user)
    if keys is None:
        raise InvalidParameter("userid: the user has no keys to sign with")
    root = Domain.all_tenants.filter(parent=None).values_list("uuid", flat=True)[0]
    identifier = str(uuid.uuid5(uuid.NAMESPACE_OID, f"cloud of {root}"))
    digest = hmac.new(keys[1].encode(), identifier.encode(), hashlib.sha1).digest()
    return {"cloudidentifier": identifier, "signature": base64.b64encode(digest).decode(), "userid": str(user.uuid)}
