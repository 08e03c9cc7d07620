"""The runtime: processes, servers and wiring around the agents, activities and workflows."""
