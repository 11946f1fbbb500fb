"""Is a new set of results worse than the reference's?"""
