"""seckill-sidecar: a gate beside a legacy shop for flash sales.

Nothing is sold twice, nothing accepted is lost, and a loser costs almost nothing.
"""

__version__ = "0.1.0"
