"""Chunks of streamed answers, beside bare channels."""
