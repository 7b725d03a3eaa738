"""What became of an order, told to who waits for it: asked for many orders at once, by each process."""
