"""The data sets: found, listed, verified, prepared, split and loaded; never a network in sight."""
