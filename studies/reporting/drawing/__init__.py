"""The figures of a study, one kind a file; each says plainly why it cannot be drawn."""
