"""The commands of the command line, one a file; `zspy.apps.cli` lists them."""
