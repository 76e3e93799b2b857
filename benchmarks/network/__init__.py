"""The parts of `benchmarks.bench_network`."""
