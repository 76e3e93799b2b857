"""What a posted message costs: the parts of `python -m benchmarks.bench_delivery`."""
