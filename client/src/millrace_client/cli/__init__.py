"""``millrace``, the command line: what :class:`millrace_client.Millrace` does, for people and scripts.

It needs typer and rich: ``pip install 'millrace-client[cli]'``.
"""
