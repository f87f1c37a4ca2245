"""What a site writes down before a trial: pictures, methods, budgets and money, in one YAML file."""

from kiridashi.poc.site.example import EXAMPLE
from kiridashi.poc.site.reading import SiteFile, read_site
from kiridashi.poc.site.schema import Budget, Conditions, Data, Money, Needed, Site, UseCase

__all__ = [
    "EXAMPLE",
    "Budget",
    "Conditions",
    "Data",
    "Money",
    "Needed",
    "Site",
    "SiteFile",
    "UseCase",
    "read_site",
]
