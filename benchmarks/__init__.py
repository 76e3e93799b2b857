"""Benchmarks beside raw trio: `python -m benchmarks`. They print ratios and are no tests."""
