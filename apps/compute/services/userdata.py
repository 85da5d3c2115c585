"""User data: what the customer's machine reads at its first start, in base64 as it came."""

import base64
import binascii

from apps.core.errors import InvalidParameter
from apps.core.settings import Setting

LONGEST = Setting("vm.userdata.max.length", 32768, help_text="Bytes of user data, decoded.", minimum=1)


def checked(text: str) -> str:
    """As it will be stored. Some clients send the URL-safe alphabet, or leave the padding out."""
    if not text:
        return ""
    padded = text.replace("-", "+").replace("_", "/")
    padded += "=" * (-len(padded) % 4)
    try:
        data = base64.b64decode(padded, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidParameter("userdata: this is not base64") from None
    if len(data) > LONGEST.value():
        raise InvalidParameter(f"userdata: {len(data)} bytes are more than the {LONGEST.value()} that are allowed")
    return padded
