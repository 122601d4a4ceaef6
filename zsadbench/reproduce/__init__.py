"""Tables of papers made again: `zsadbench/papers` says what each row ran; ours is set beside the printed number."""
