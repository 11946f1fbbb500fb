"""The networks: the paper's blocks, MedNeXt, MedUNeXt and the baselines they are compared with.

Networks know neither data nor files; only ``registry`` reads the packaged ``methods.yaml``.
"""
