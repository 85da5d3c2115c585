"""Passwords of storage, kept by libvirt: QEMU gets them from there, and so do we. They lie nowhere else."""

from xml.etree import ElementTree as ET

from agent.host.domain_xml import add
from agent.host.link import Link
from agent.http.keys import Deadline

WITHIN = 10.0


class LibvirtSecrets:
    def __init__(self, link: Link):
        self._link = link

    def put(self, pool: str, password: str) -> None:
        root = ET.Element("secret", ephemeral="no", private="no")
        add(root, "uuid", pool)
        add(root, "description", "cloudportal storage pool")
        add(add(root, "usage", type="iscsi"), "target", pool)
        with self._link.asking(Deadline(WITHIN), changes=True) as connection:
            secret = connection.secretDefineXML(ET.tostring(root, encoding="unicode"), 0)
            secret.setValue(password.encode(), 0)

    def get(self, pool: str) -> str:
        with self._link.asking(Deadline(WITHIN)) as connection:
            return bytes(connection.secretLookupByUUIDString(pool).value(0)).decode()

    def drop(self, pool: str) -> None:
        libvirt = self._link.libvirt
        with self._link.asking(Deadline(WITHIN), changes=True) as connection:
            try:
                connection.secretLookupByUUIDString(pool).undefine()
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_SECRET:
                    raise
