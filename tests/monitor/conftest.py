"""Fixtures for tests with real processes."""

from tests.process.conftest import lifeline as lifeline
