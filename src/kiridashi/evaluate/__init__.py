"""Metrics, intervals, the few-shot protocol and the baselines to compare with."""
