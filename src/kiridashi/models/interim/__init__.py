"""Stand-ins for the mask decoder of a model whose decoder is not trained yet.

Classical methods that need no weights; every result that comes from here says so in its provenance.
"""
