"""The program on hosts: machines, disks, networks and routers made to match what the manager wants.

Python's own library only, and on hosts the distribution's libvirt binding; nothing of the manager.
"""

VERSION = "1"


class Invalid(ValueError):
    """What was asked is no valid question; nothing was done. The text names the key."""


class Busy(Exception):
    """Not begun: an earlier call about the same thing is under way."""


class Failed(Exception):
    """Begun, and not known to be done. Asking again gets there, or says again why not."""
