"""The operator's command: ``python -m services.api.admin <command>``."""
