"""A small legacy shop: the kind of site that the sidecar stands beside. Standard library only, and slow on purpose."""
