"""The program on hosts: it does what the manager asks and tells it what happens. Only the standard library, and the
distribution's libvirt binding where machines are.
"""

VERSION = "1"
