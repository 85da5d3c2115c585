import pytest

from apps.portal.events.words import phrase


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"type": "VM.CREATE", "resourcename": "web"}, "web created"),
        ({"type": "SG.AUTH.INGRESS", "resourcename": "web"}, "Rule added to web"),
        ({"type": "FIREWALL.EGRESS.OPEN"}, "Firewall rule added"),
        ({"type": "ROLE.PERMISSION.DELETE", "resourcename": "ops"}, "Rule taken from ops"),
        ({"type": "VM.CREATE", "resourcename": "web", "state": "Started"}, "web created: begun"),
        ({"type": "VM.CREATE", "resourcename": "web", "state": "Scheduled"}, "web created: asked for"),
        ({"type": "VM.CREATE", "description": "no room", "resourcename": "web", "level": "ERROR"}, "no room"),
        (
            {
                "type": "VM.START",
                "description": "Error while startVirtualMachine of virtual machine 85ef49b6-b23e: hostid: it is away",
                "resourcename": "web",
                "level": "ERROR",
            },
            "Start web failed: hostid: it is away",
        ),
        ({"type": "VM.CREATE", "description": "a machine"}, "a machine"),
        ({"type": "NO.SUCH", "description": "as the API says"}, "as the API says"),
    ],
)
def test_what_happened_is_said_in_a_few_words(event, said):
    assert phrase(event) == said
