"""Durable background work: the row is the truth, a message only says where to look."""
