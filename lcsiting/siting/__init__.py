"""Cover, ranking and phases of a plan. Import the module you need."""
