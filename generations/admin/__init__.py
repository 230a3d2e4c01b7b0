"""Where administrators keep keys, people, catalogue and prices. Secrets go in and never come out."""

from generations.admin import addresses, catalogue, keys, prices, records  # noqa: F401  (they register themselves)
