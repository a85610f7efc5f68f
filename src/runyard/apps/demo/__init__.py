"""A demo as one folder that runs anywhere, without a network; and the proof that it does."""

from runyard.apps.demo.checking import Check, check
from runyard.apps.demo.packing import Packed, pack, read_pack

__all__ = ["Check", "Packed", "check", "pack", "read_pack"]
