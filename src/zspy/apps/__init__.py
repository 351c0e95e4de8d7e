"""The folder of apps."""
