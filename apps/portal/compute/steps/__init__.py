"""The six questions, one a step."""

from apps.portal.compute.steps.base import Step
from apps.portal.compute.steps.image import TemplateStep, ZoneStep
from apps.portal.compute.steps.name import NameStep
from apps.portal.compute.steps.networks import NetworkStep
from apps.portal.compute.steps.size import DiskStep, OfferingStep

STEPS: tuple[type[Step], ...] = (ZoneStep, TemplateStep, OfferingStep, DiskStep, NetworkStep, NameStep)
# Which step asks for a parameter of deployVirtualMachine: an error leads back to it.
ASKED_IN = {
    "zoneid": 1, "templateid": 2, "hypervisor": 2, "serviceofferingid": 3, "details": 3, "diskofferingid": 4, "size": 4,
    "rootdisksize": 4, "networkids": 5, "iptonetworklist": 5, "ipaddress": 5,
}  # fmt: skip
