"""The parent process of one attempt: devices, child, output, host metrics, journal delivery."""

from runyard.supervisor.attempt import supervise, watch
from runyard.supervisor.order import LaunchOrder, WarmUp, receive_order
from runyard.supervisor.protocol import SupervisorClient

__all__ = ["LaunchOrder", "SupervisorClient", "WarmUp", "receive_order", "supervise", "watch"]
