"""Reviews: the registers a review reads, pendency as of an instant, samples to be checked, monthly packs; pure."""
