"""What runs inside the jail, and what closes it: the only place where a candidate's code is parsed and executed."""
