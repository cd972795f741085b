"""What a linear system is: its forms, and conversions between them."""
