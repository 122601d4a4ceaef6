"""Units of work: prepare the detector of a job, and score some images of a class with the heads of some jobs."""
