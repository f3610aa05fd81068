"""Papers: finding, reading, following, and turning into recipes."""
