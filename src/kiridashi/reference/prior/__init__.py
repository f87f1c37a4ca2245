"""Where the object of the references probably is: similarity, appearance, and their fusion."""
