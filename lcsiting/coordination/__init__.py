"""What base stations and protected radio stations mean for each other."""
