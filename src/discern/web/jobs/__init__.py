"""Durable background work: the row is the truth, a message only says where to look.

A domain app makes a table from :class:`~discern.web.jobs.models.Job`, registers a kind with its
handler (:mod:`~discern.web.jobs.registry`) and enqueues rows (:mod:`~discern.web.jobs.services`).
"""
