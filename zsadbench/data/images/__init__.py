"""Image files to arrays: opening every format, pixels of images, masks, perceptual hashes."""
