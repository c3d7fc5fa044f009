"""``python -m services.api.admin <command>``: the operator's commands without the rest of ``millrace``."""

from services.api.admin.all_commands import app

if __name__ == "__main__":
    app(prog_name="python -m services.api.admin")
