"""What the processes of one run share: its folder, its tables, its weights, its lock, its lifeline."""
