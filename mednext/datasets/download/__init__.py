"""Download the archive of a data set: one module per service, one transfer for all of them."""
