"""How the fusion network of `kiridashi.reference.prior` learns when to believe which evidence.

Three commands, each resumable by running it again:

    python -m training.prior.gather --data ../shared/data --out runs/prior/evidence
    python -m training.prior.fit --evidence runs/prior/evidence --out runs/prior/fit
    python -m training.prior.export --run runs/prior/fit
"""
