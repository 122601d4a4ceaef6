"""The data of the failure browser: images on which methods fail, selected by rules, with their pictures."""
