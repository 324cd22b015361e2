"""Who assesses a programme: those that take part by the catalogue, or where it names none, by a settlement."""
