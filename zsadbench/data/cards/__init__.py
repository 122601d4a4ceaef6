"""What a card says about one benchmark, and how the card's TOML file is read."""
