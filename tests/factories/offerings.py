from apps.offerings.models import DiskOffering, NetworkOffering, VpcOffering


def _saved(row):
    row.save()
    return row


ROWS = {
    "offerings.DiskOffering": lambda make, owner: _saved(DiskOffering(name="disk", size_bytes=1 << 30)),
    "offerings.NetworkOffering": lambda make, owner: _saved(NetworkOffering(name="net", state="Enabled")),
    "offerings.VpcOffering": lambda make, owner: _saved(VpcOffering(name="vpc", state="Enabled")),
}
