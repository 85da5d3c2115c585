"""The declarative frame: lists, details and forms from the declarations of commands and responses."""
