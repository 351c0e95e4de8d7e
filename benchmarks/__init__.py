"""How long zspy takes, compared with other programs, and with what the machine can do."""
