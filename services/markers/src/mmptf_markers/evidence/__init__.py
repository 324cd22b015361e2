"""Evidence and risks to human rights, and who may read what of them is restricted."""
