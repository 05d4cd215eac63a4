"""One module a verb: a frozen request in, a frozen response out, no session in sight."""
