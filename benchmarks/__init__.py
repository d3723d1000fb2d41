"""How good is a team, how fast are we? pass@k, saved samples, reports, measurements."""
