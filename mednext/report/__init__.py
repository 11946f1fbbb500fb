"""Tables, figures and the page: drawn from the small result files alone."""
