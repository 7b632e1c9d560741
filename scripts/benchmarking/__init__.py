"""The parts that the measuring scripts share: scenes, the damage done to them, scores and tables."""
