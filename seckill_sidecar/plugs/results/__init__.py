"""What became of an order, at our own addresses: asked for once, waited for, as events, through a WebSocket."""
