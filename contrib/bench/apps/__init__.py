"""What the gate is compared with."""
