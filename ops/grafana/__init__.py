"""The Grafana dashboard: generated, so that panels of a kind look alike and a query is written once."""
