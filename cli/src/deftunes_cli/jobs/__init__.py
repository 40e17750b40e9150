"""Stages as Jobs of a cluster: made from the chart's CronJobs, followed to their exit code, listed, cancelled."""
