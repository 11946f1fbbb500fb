"""A GPU on first contact: are its numbers right, does a run repeat and continue, how fast is it?

``python -m mednext.planning.gpu_check`` (``make gpu-check``) answers within five minutes and writes
``results/gpu/check.json`` and ``check.md``. Data are made up on the spot.
"""
