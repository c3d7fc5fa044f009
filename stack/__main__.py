"""``python -m stack``: the commands without the rest of ``millrace``; the supervisor is started so."""

from stack.commands import app

if __name__ == "__main__":
    app(prog_name="python -m stack")
