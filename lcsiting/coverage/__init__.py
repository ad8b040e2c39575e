"""Coverage of a chosen network: sectors, tile kernels, layers, statistics. Import the module you need."""
