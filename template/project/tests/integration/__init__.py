"""Tests that train."""
