"""The declarative file of everything an operator configures: read, compare with the database, write, export."""
