"""Rules, alerts and dashboards as code; `publish` writes them, nothing of it runs in a deployment."""
