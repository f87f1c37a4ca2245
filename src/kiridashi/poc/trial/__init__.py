"""Measure what a use case asks for, in four stages, resumable, and within a budget of time."""

from kiridashi.poc.trial.running import Stop, Trial
from kiridashi.poc.trial.source import SiteSet, open_source

__all__ = ["SiteSet", "Stop", "Trial", "open_source"]
