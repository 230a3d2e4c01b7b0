"""What wants a person, for the first page of the admin: one line each, with the list behind it. Only reads."""
