"""What storage asks of the apps above."""

from collections.abc import Callable
from typing import Any

from apps.core.ports import Port
from apps.storage.models import StoragePool, Volume

# Attach a fresh volume to a machine: (volume, machine), in a job that has locked both. Outside any transaction.
attach: Port[Callable[[Volume, Any], object]] = Port("storage.attach", optional=True)
# Primary storage goes into maintenance: begin to stop what runs with a disk on it, and remember what was stopped. Asked
# again every few seconds, outside any transaction, until nothing runs there; what cannot be stopped raises.
stop_machines: Port[Callable[[StoragePool], object]] = Port("storage.stop_machines", many=True, optional=True)
# Its maintenance ends: begin to start again what was stopped for it. Asked in the transaction that ends it.
start_machines: Port[Callable[[StoragePool], object]] = Port("storage.start_machines", many=True, optional=True)
