"""The folder of values."""
