"""What is done with the facts that the gate and the breakers tell: they are logged (and, elsewhere, counted)."""
