"""Radio models on plain numbers and arrays: no files, no tables of geometry. Import the module you need."""
