"""Open311 GeoReport v2: services, requests, tokens and discovery, in XML and JSON, for clients written to that page."""
