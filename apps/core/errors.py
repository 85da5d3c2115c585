"""What a caller can see go wrong. One class per wire code; say which and why in the text."""

from collections.abc import Mapping

NONE: Mapping[str, object] = {}


class CloudError(Exception):
    """Base of every error that a caller may see.

    ``tenant`` is what callers other than root administrators read, where the text speaks of the infrastructure.
    ``uuids`` are the rows that it names, by what they are: "domainId".
    """

    code = 530  # the HTTP status
    cs_code = 4250  # CloudStack's "cserrorcode"

    def __init__(self, text: str = "", *, tenant: str = "", uuids: Mapping[str, object] = NONE):
        super().__init__(text)
        self.tenant, self.uuids = tenant, uuids


class BadRequest(CloudError):
    code, cs_code = 400, -1


class NotAuthenticated(CloudError):
    code, cs_code = 401, -1


class MethodNotAllowed(CloudError):
    code, cs_code = 405, -1


class RateLimited(CloudError):
    code, cs_code = 429, 4545

    def __init__(self, text: str = "", *, retry_in: int = 1):
        """``retry_in`` seconds there is room again."""
        super().__init__(text)
        self.retry_in = retry_in


class MalformedParameter(CloudError):
    code, cs_code = 430, 9999


class InvalidParameter(CloudError):
    """Invalid, unknown, taken, or the row is in a state that forbids it."""

    code, cs_code = 431, 4350


class ParserRefused(InvalidParameter):
    """A parameter that did not parse. The texts are the wire's, and only the kernel says them."""

    cs_code = 9999


class NoSuchRow(ParserRefused):
    """An id that nobody knows, or that is none."""


class UnsupportedAction(CloudError):
    """The command does not exist, or not for this role: the two must look alike."""

    code, cs_code = 432, 9999


class NotInProject(UnsupportedAction):
    """The caller is no member; ``dispatch`` adds the name of the command."""

    def __init__(self, project: str):
        super().__init__(project)
        self.project = project


class ServiceUnavailable(CloudError):
    code, cs_code = 503, 9999


class PermissionDenied(CloudError):
    code, cs_code = 531, 4365


class LoginRefused(CloudError):
    """Answered without ``cserrorcode``; the text must not say which part was wrong."""

    code, cs_code = 531, -1


class InsufficientCapacity(CloudError):
    code, cs_code = 533, 4325


class InsufficientAddresses(InsufficientCapacity):
    cs_code = 4320


class ResourceUnavailable(CloudError):
    code, cs_code = 534, 4380


class LimitExceeded(CloudError):
    """CloudStack answers a limit with RESOURCE_ALLOCATION, not with ACCOUNT_RESOURCE_LIMIT."""

    code, cs_code = 535, 4370


class ResourceInUse(CloudError):
    """Somebody else was faster: a lost compare-and-swap, or a row that a job holds; or others still build on it."""

    code, cs_code = 536, 4375


class RuleConflict(CloudError):
    code, cs_code = 537, 4360


NOT_YOURS = "Caller does not have permission to operate with provided resource."
GENERIC = {
    530: "Internal error executing command, please contact your system administrator",
    533: "Unable to create a deployment, there is not enough capacity",
    534: "Resource is unavailable, please try again later",
}


def text_for(error: Exception, is_root: bool) -> str:
    """Nobody but a root administrator learns about hosts, pools and bugs from an error text."""
    if is_root:
        return str(error)
    return getattr(error, "tenant", "") or GENERIC.get(getattr(error, "code", 530)) or str(error)
