"""Synthetic stand-ins, one generator per data set, in the exact layout of the original."""
