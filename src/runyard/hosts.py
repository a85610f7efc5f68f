"""Who runs this, and on which start of which machine."""

import getpass
import os


def user_name() -> str:
    """The name of whoever runs this."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return str(os.getuid())


def host_name() -> str:
    """The name of this machine."""
    return os.uname().nodename


def boot_id() -> str:
    """Changes with every start of this machine; empty where the system does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""
