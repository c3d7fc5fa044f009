"""Chaos: jobs run through a whole stack while a seeded schedule of faults hits it, and each is accounted for afterwards.

``python -m tests.chaos`` is behind ``make chaos``; a short run is one of the end-to-end tests.

``schedule``      which fault hits what, and when: a function of the seed
``orders``        what is posted, and the end that it must come to
``customers``     how it is posted, and cancelled
``field``         stack, second workers, source, storage and receiver, and the faults that can befall them
``redelivery``    messages that the server delivers again
``judging``       what the rules say of a job: lost, doubled, or in order. Pure, like the schedule
``inspection``    what is left of a run: outputs, files, secrets, processes, the projection
``run``           all of it from start to verdict
``report``        the table: fault, times hit, jobs touched, lost, doubled
``lanes``         clips beside a film on a single slot, and what they wait for: ``make lanes``
``soak``          many tiny jobs without faults, and the memory of each service: ``make soak``
"""
