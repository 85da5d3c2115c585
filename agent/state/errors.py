"""What calls about networks and routers end with; ``kind`` is what the manager reads."""


class Invalid(ValueError):
    """What was asked is no valid question; nothing was done. The text names the key."""

    kind = "invalid"


class Busy(Exception):
    """Not begun: an earlier call about the same thing is under way."""

    kind = "busy"


class Failed(Exception):
    """Begun, and not known to be done. Asking again gets there, or says again why not."""

    kind = "unknown"
