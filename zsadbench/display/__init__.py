"""How values show themselves in notebooks: HTML tables, strips of pictures, colour ranges, letters on pictures."""
