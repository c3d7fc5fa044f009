"""The app with its commands, which modules add to it as they are imported."""

from services.api.admin import account_commands, bus_commands, commands, key_commands, operations, sealing_commands
from services.api.admin.app import app

__all__ = ["account_commands", "app", "bus_commands", "commands", "key_commands", "operations", "sealing_commands"]
