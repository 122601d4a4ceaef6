"""The named colours, and the tinges of defects; red, green, blue."""

COLOURS = {
    "white": (212, 210, 205),
    "grey": (138, 140, 142),
    "black": (52, 52, 56),
    "red": (176, 58, 52),
    "orange": (205, 122, 52),
    "yellow": (206, 178, 70),
    "green": (78, 132, 74),
    "blue": (62, 96, 160),
    "purple": (120, 82, 146),
    "pink": (206, 138, 150),
    "brown": (118, 80, 52),
    "beige": (196, 172, 136),
    "silver": (172, 176, 182),
    "teal": (62, 130, 134),
}

TINGES = {  # what a defect adds to (red, green, blue), as fractions of its contrast
    "dark": (-1.0, -1.0, -1.0),
    "light": (1.0, 1.0, 1.0),
    "rust": (0.35, -0.5, -1.0),
    "grease": (-0.55, -0.7, -1.0),
    "mould": (-0.6, 0.0, -0.9),
    "chalk": (0.8, 0.9, 1.0),
    "ink": (-1.0, -0.8, 0.1),
    "reddish": (1.0, -0.6, -0.6),
    "bluish": (-0.6, -0.2, 1.0),
    "greenish": (-0.6, 0.6, -0.5),
}
