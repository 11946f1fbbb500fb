"""What a profile will take, and what it lacks, before anything starts."""
