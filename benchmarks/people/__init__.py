"""People who answer, and a page that shows: the parts of `python -m benchmarks.bench_people`."""
