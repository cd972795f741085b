"""The methods of reduction, one file each."""
