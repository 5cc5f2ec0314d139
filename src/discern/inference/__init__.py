"""Runs model files: sessions, dynamic batching, threads and processors. The only room that knows
a model runtime; it knows arrays and costs, never words or pictures."""
