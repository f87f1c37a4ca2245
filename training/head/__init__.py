"""The embedding head: learned from cut-outs as classes, judged on cut-outs and on kinds of things.

    python -m training.head.fit --data DATA --sources runs/sources --work runs/head --out head.safetensors

A cut-out under ever new light, size, turn, background and neighbours is a class of its own; a head that
learns to see past all that sees past it for new things too. Kinds of things (photographs of `voc_train`)
are only judged on: nothing is learned of them.
"""
