"""The model server: JSON and the Open Inference Protocol in, core contracts out, one error table,
limits everywhere, and health that is never a guess."""
