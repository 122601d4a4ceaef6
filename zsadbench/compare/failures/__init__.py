"""The failure browser: the images on which methods fail, chosen by rule, with their pictures."""
