"""The actions and measures that assessments planned, which go on by themselves until they are ended."""
