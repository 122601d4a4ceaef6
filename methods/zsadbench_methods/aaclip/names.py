"""Names that records and cached checkpoints contain: of the stages of training, and of the parts of an image score."""

TEXT_STAGE, IMAGE_STAGE = "text", "image"
DETECTION, MAP_MIN, MAP_MAX = "image_raw", "map_min", "map_max"
