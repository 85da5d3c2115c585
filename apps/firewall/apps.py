from django.apps import AppConfig


class Config(AppConfig):
    name = "apps.firewall"

    def ready(self) -> None:
        from apps.accounts.ports import Teardown as Answer
        from apps.accounts.ports import made, teardown
        from apps.firewall import audits  # noqa: F401
        from apps.firewall.document import SECTIONS
        from apps.firewall.facts import of_addresses
        from apps.firewall.flows.teardown import TEARDOWN, Teardown
        from apps.firewall.services import rules, security_groups
        from apps.machines.ports import leaving
        from apps.network import ports

        for section in SECTIONS.items():
            ports.sections.answer(section)
        ports.address_facts.answer(of_addresses)
        ports.address_released.answer(rules.address_released)
        ports.network_removed.answer(rules.network_removed)
        ports.service_in_use.answer(rules.service_in_use)
        ports.leaving.answer(rules.Revoked())
        made.answer(security_groups.account_begins)
        leaving.answer(rules.machine_leaves)
        leaving.answer(security_groups.machine_leaves)
        teardown.answer(Answer(("firewall.Rule", "firewall.SecurityGroup"), TEARDOWN, Teardown), order=30)
