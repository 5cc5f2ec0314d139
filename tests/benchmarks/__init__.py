"""The benchmarks' own tools: a wrong load generator would make every figure wrong."""
