"""Kill runs at random moments, and check that nothing is lost."""
