"""The conformance suite of the .zspy format: small files, and what a reader returns for each."""
