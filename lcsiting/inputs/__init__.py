"""Whatever a planner has, turned into validated layers and derived tables."""
