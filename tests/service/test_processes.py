"""Facts about processes, and the end of trees."""
