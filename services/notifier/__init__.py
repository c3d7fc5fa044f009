"""The notifier: tells customers' webhooks about every change of a job's status.

Hears ``created``, ``started`` and ``end.*`` in the log of jobs, and attempts from the work queue WEBHOOKS, which it fills
itself and which the api adds redeliveries to. Says ``DeliveryAttempted`` in DELIVERIES, for every attempt. Owns the bucket
of queues (:mod:`services.notifier.delivery_queue`), reads the sealed bucket of hooks that the api writes. It has no database, and
nothing that it meets changes a job.

A status goes through these modules: ``announce`` (event to attempts), ``deliver`` (what is due, in order), ``receiver``
(the HTTP request), ``schedule`` (when again).
"""
