"""The two trainings of PromptAD: of the image score, and of the pixel map."""

CLS, SEG = "cls", "seg"  # in the order of training
PARTS = (CLS, SEG)
