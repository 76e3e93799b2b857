"""The harness: a fresh process a measurement, sides in turn, medians with spread, ratios, and noise."""
