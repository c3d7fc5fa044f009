"""Every command of ``millrace``, with the module that it is in: that one is imported when the command is run, and not before."""

from dataclasses import dataclass

SERVER, JOBS, ACCOUNT, OTHERS = "Server", "Jobs", "Account", "Others"
_HERE = "millrace_client.cli"


@dataclass(frozen=True)
class Entry:
    """A command.

    Attributes:
        module: has a typer ``app`` with the command in it; where ``group`` is set, the app itself is the command.
        text: first sentence of its help.
        panel: under which it is listed.
    """

    name: str
    module: str
    text: str
    panel: str
    group: bool = False

    @property
    def own(self) -> bool:
        """Whether it comes with this distribution. The others are in a checkout of Millrace."""
        return self.module.startswith(_HERE)


_ENTRIES = (
    Entry("up", "stack.commands", "Start everything in the background.", SERVER),
    Entry("down", "stack.commands", "Stop everything; the data stays.", SERVER),
    Entry("ps", "stack.commands", "Show the processes of the stack.", SERVER),
    Entry("logs", "stack.commands", "Follow all logs, or those of one program.", SERVER),
    Entry("demo", "stack.commands", "Transcode a clip, or another video, and watch it being done.", SERVER),
    Entry("bench", "stack.commands", "Measure a clip against plain ffmpeg, by turns.", SERVER),
    Entry("doctor", "stack.commands", "Find out what keeps a server from working, and what to do about it.", SERVER),
    Entry("login", f"{_HERE}.account", "Get a token and keep it in a file.", ACCOUNT),
    Entry("logout", f"{_HERE}.account", "Revoke the token, and remove the file that keeps it.", ACCOUNT),
    Entry("whoami", f"{_HERE}.account", "Show whose token is used, on which server and until when.", ACCOUNT),
    Entry("orgs", f"{_HERE}.account", "List the organizations that the token can be used for.", ACCOUNT),
    Entry("tokens", f"{_HERE}.tokens", "The organization's live tokens.", ACCOUNT, group=True),
    Entry(
        "storage",
        f"{_HERE}.storage",
        "The storage whose credentials stand in where a job has none.",
        ACCOUNT,
        group=True,
    ),
    Entry("submit", f"{_HERE}.commands", "Create a job.", JOBS),
    Entry("watch", f"{_HERE}.commands", "Follow a job to its end.", JOBS),
    Entry("get", f"{_HERE}.commands", "Show a job.", JOBS),
    Entry("list", f"{_HERE}.commands", "List jobs.", JOBS),
    Entry("cancel", f"{_HERE}.commands", "Cancel a job.", JOBS),
    Entry("retry", f"{_HERE}.commands", "Run a job again that failed or was cancelled.", JOBS),
    Entry("timeline", f"{_HERE}.commands", "Show what has happened to a job.", JOBS),
    Entry("open", f"{_HERE}.commands", "Open a job in the console, in a browser.", JOBS),
    Entry("webhooks", f"{_HERE}.hooks", "Addresses that are told of every change of a job's status.", JOBS, group=True),
    Entry("check", f"{_HERE}.checking", "Check a finished presentation against the rules for HLS and DASH.", OTHERS),
    Entry("admin", "stack.admin", "Organizations, users, and what operators on call need.", OTHERS, group=True),
)
TABLE = {entry.name: entry for entry in _ENTRIES}
