"""state-machines.md 2.6. What is forwarded is metered, holes in the firewall are not."""

from apps.core.states import StateMachine, T
from apps.firewall.models import Rule

S = Rule.State

HOLE = StateMachine(
    T(S.ADD, "Applied", S.ACTIVE),
    T(S.ADD, "Revoked", S.REVOKE),
    T(S.ACTIVE, "Revoked", S.REVOKE),
)
FORWARDING = StateMachine(
    T(S.ADD, "Applied", S.ACTIVE, usage="NET.RULEADD"),
    T(S.ADD, "Revoked", S.REVOKE),
    T(S.ACTIVE, "Revoked", S.REVOKE, usage="NET.RULEDELETE"),
)


def machine(rule: Rule) -> StateMachine:
    return FORWARDING if rule.purpose in (Rule.Purpose.FORWARDING, Rule.Purpose.IP_FORWARDING) else HOLE
