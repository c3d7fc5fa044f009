"""Rolling updates: services go over from one version of Millrace to another, one after the other, while jobs come in.

``python -m tests.rolling`` is behind ``make rolling``; one of the end-to-end tests goes over between the schema of events of
before and that of today.

``versions``      a version: where its code lies, and the Python that runs it
``site``          servers, and services of which each is of some version
``run``           jobs at a steady rate while one service after the other goes over; then each job is accounted for
"""
