"""Tests: unit on every commit, integration on merge requests."""
