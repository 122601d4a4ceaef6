"""`predict` and `explain`: scores, heat maps and pictures of the stages of images without labels."""
