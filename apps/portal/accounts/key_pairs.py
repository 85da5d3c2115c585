"""SSH key pairs: the private half is shown once."""

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal.compute.kinds import KEY_PAIR
from apps.portal.frame.forms import Form
from apps.portal.frame.listing import ListPage

Text = str | Promise


class KeyPairList(ListPage):
    at = "key-pairs"
    nav = "/key-pairs"
    kind = KEY_PAIR
    columns = ("name", "fingerprint", "account")
    searching = gettext_lazy("Name or fingerprint")
    hint = gettext_lazy(
        "With a key pair you log in to machines without a password. Its public half is put into the machine, the "
        "private half stays with you."
    )
    template = "portal/accounts/key_pairs.html"


class NewKeyPair(Form):
    command = "createSSHKeyPair"
    folded = ()
    hints = {"name": gettext_lazy("Unique among yours")}
    note = gettext_lazy("The private half is shown once, on the next page: have a place for it.")

    def shown_once(self, answer: Mapping[str, Any]) -> list[tuple[Text, str]]:
        return [(_("Private key"), answer["keypair"]["privatekey"])]

    @property
    def done_text(self) -> str:
        return _("Key pair %(name)s is made") % {"name": self.given.get("name", "")}


class RegisterKeyPair(Form):
    command = "registerSSHKeyPair"
    first = ("name", "publickey")
    folded = ()

    def dressed(self, made: Any) -> Any:
        made.placeholder = "ssh-ed25519 AAAA…" if made.name == "publickey" else ""
        return made

    @property
    def home(self) -> str:
        return KEY_PAIR.url()

    def went_to(self, begun: Any, answer: Mapping[str, Any], back: str) -> str:
        return back or KEY_PAIR.url()


class DeleteKeyPair(Form):
    command = "deleteSSHKeyPair"
    danger = True
    folded = ()
    lost = (gettext_lazy("The public key here: new machines cannot be given it"),)
    kept = (gettext_lazy("Machines that have the key keep it, and your private half opens them"),)
