"""The dashboards for Grafana: what each shows (:mod:`tools.dashboards.boards`), and the JSON that Grafana reads."""
