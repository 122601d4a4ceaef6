"""Pictures of maps and stages: heat maps, contact sheets, the letters on them, and large PNG files."""
