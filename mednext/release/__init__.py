"""What describes the results to others: RO-Crate, data and model cards."""
