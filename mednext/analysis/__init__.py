"""From counts per case to metrics, comparisons, differences and curves."""
