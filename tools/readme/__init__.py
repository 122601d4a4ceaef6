"""Makes the README's table and picture from the records of the demo."""
