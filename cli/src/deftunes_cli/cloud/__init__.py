"""From a Pulumi stack to the chart: what `pulumi up` told becomes a Helm values file."""
