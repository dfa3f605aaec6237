"""What the dashboard's pages about flows are made of."""
