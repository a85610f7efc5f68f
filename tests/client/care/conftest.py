"""Homes that have their files in buckets."""

from tests.artifacts.buckets import buckets, credentials  # noqa: F401  # fixtures
