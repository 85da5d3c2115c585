"""The least valid row of each kind, by label: every module here has ``ROWS = {"storage.Volume": function}``, and a
function gets ``make`` (see conftest) and the owner, which it may ignore. Registry tests make rows of any kind this way.
"""

import importlib
import pkgutil


def rows():
    found = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        found |= importlib.import_module(module.name).ROWS
    return found
