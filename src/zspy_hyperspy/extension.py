"""HyperSpy looks for this module when it starts, and reads the `.yaml` file beside it."""
