"""Make the table and the picture of the README from the records of the demo."""
