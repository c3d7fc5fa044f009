"""The notifier: tells customers' webhooks about every change of a job's status.

Consumes ``created``, ``started`` and ``end.*`` of all jobs, and attempts from the work queue WEBHOOKS. Publishes attempts to
that queue (the api adds redeliveries to it), and ``DeliveryAttempted`` to DELIVERIES for every attempt. Owns the bucket of
delivery queues (:mod:`services.notifier.delivery_queue`); reads the sealed bucket of hooks that the api writes. It has no
database, and nothing that it meets changes a job.

A status goes through these modules: ``announce`` (event to attempts), ``deliver`` (what is due, in order), ``receiver``
(the HTTP request), ``schedule`` (when again).
"""
