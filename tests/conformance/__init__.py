"""What every engine promises (I1 to I9 of the design), stated once and run against each of them."""
