"""The folder of files."""
