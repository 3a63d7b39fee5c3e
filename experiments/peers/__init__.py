"""Other registration programs on the pairs that we report on, through our own evaluation."""
