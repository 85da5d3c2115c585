"""What a call can end with, split by what is known afterwards."""


class AgentError(Exception):
    """Base; never raised itself. ``kind`` is what the manager reads."""

    kind = ""


class Refused(AgentError):
    """Not done, and trying again will not help."""

    kind = "refused"


class Busy(AgentError):
    """Not begun: the same call may succeed later."""

    kind = "busy"


class Unknown(AgentError):
    """It may have happened, or may still happen."""

    kind = "unknown"


class Invalid(AgentError):
    """The call itself is wrong; nothing was begun."""

    kind = "invalid"


class Interrupted(Exception):
    """The agent ends, or the work was called off."""
