"""What sites there are: their files."""
