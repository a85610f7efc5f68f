from tests.artifacts.buckets import buckets, credentials  # noqa: F401  # fixtures
