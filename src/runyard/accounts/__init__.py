"""Who may use the team's server: users, tokens, sessions, private projects, and what was changed by whom."""

from runyard.accounts.accounts import Accounts
from runyard.accounts.roles import Caller, Role

__all__ = ["Accounts", "Caller", "Role"]
