"""``millrace doctor``: what keeps a server from working, and what to do about it.

Looks at the machine, at the servers of the stack that runs here (or of the api's settings in the environment), and by the REST
API at what an organization has set up.
"""
